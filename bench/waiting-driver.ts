import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Engine } from '../src/engine/engine.js';
import { openProfile } from '../src/engine/profile.js';
import type { EventData } from '../src/store/events.js';

export interface WaitingReport {
  /** Of each listing, as its event tells. */
  readonly listingSeconds: readonly number[];
  /** Processor time of all listings but the first, with the steps between them; to begin costs something once. */
  readonly cpuSeconds: number;
  readonly peakMegabytes: number;
  /** Milliseconds. */
  readonly delay: { readonly p50: number; readonly p99: number; readonly max: number };
}

/** An engine as its own process: `node waiting-driver.js HOME LISTINGS` drives until so many listings have been made. */
const [, , home, listings] = process.argv;
await using profile = await openProfile({ home });

async function listingSeconds(): Promise<number[]> {
  const rows = await profile.store
    .selectFrom('events')
    .select('data')
    // By the index: the events of the jobs are many.
    .where('process_id', 'is', null)
    .where('type', '=', 'computer.polled')
    .execute();
  return rows.map(({ data }) => (JSON.parse(data) as EventData['computer.polled']).durationMs / 1000);
}

const delays = monitorEventLoopDelay({ resolution: 5 });
let before: NodeJS.CpuUsage | undefined;
delays.enable();
{
  await using engine = new Engine(profile);
  const until = async () => {
    const { length } = await listingSeconds();
    if (length > 0) before ??= process.cpuUsage();
    return length >= Number(listings);
  };
  await engine.drive({ signal: AbortSignal.timeout(300_000), until });
}
delays.disable();
const { user, system } = process.cpuUsage(before);
const milliseconds = (nanoseconds: number) => nanoseconds / 1e6;
const report: WaitingReport = {
  listingSeconds: await listingSeconds(),
  cpuSeconds: (user + system) / 1e6,
  peakMegabytes: process.resourceUsage().maxRSS / 1024,
  delay: {
    p50: milliseconds(delays.percentile(50)),
    p99: milliseconds(delays.percentile(99)),
    max: milliseconds(delays.max),
  },
};
process.stdout.write(`${JSON.stringify(report)}\n`);
