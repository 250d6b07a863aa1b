import { Engine } from '../src/engine/engine.js';
import { openProfile } from '../src/engine/profile.js';
import type { DriverReport } from './child-driver.js';

/** A driver as its own process: opens the home that it is told, ends when nothing is left to do, reports as JSON. */
const began = performance.now();
await using profile = await openProfile({ home: process.argv[2] });
const { store } = profile;
{
  await using engine = new Engine(profile);
  const isDone = async () => {
    const open = await store
      .selectFrom('processes')
      .select('id')
      .where('ended_at', 'is', null)
      .where('paused', '=', 0)
      .limit(1)
      .executeTakeFirst();
    return open === undefined;
  };
  await engine.drive({ signal: AbortSignal.timeout(600_000), until: isDone });
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const report: DriverReport = {
    seconds: (performance.now() - began) / 1000,
    cpuSeconds: (userCPUTime + systemCPUTime) / 1e6,
    peakMegabytes: maxRSS / 1024,
  };
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
