/**
 * The program that drives the work of a profile; a supervisor forks it. It ends when it is told to, when its
 * supervisor is gone, or when it cannot go on.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import process from 'node:process';
import { Engine } from '../engine/engine.js';
import { openProfile } from '../engine/profile.js';
import { messageOf, WherryError } from '../errors.js';
import type { FromWorker, ToWorker } from './messages.js';

/** Milliseconds. Without a supervisor nobody else ends a worker whose steps hang. */
const timing = { heartbeat: 1_000, orphanEnd: 5_000 } as const;

const stop = new AbortController();
const drain = () => stop.abort();

function tell(message: FromWorker): void {
  // A channel that breaks is told by `disconnect`, which ends the worker.
  if (process.connected) process.send?.(message, () => undefined);
}

function orphaned(): void {
  drain();
  setTimeout(() => process.exit(1), timing.orphanEnd).unref();
}

function beat(): NodeJS.Timeout {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  return setInterval(() => {
    const heartbeat = {
      delayP99: delay.percentile(99) / 1e6,
      delayMax: delay.max / 1e6,
      memory: process.memoryUsage.rss(),
    };
    delay.reset();
    tell({ type: 'heartbeat', ...heartbeat });
  }, timing.heartbeat);
}

async function work(home: string | undefined, profileName: string | undefined): Promise<void> {
  await using profile = await openProfile({ home, profile: profileName });
  await using engine = new Engine(profile);
  beat();
  tell({ type: 'ready' });
  await engine.drive({ signal: stop.signal, until: () => false });
}

/** The last line is what the supervisor tells as the reason. */
function wordsOf(error: unknown): string {
  if (!(error instanceof WherryError)) return `${error instanceof Error ? error.stack : ''}\n${messageOf(error)}`;
  return error.hint === undefined ? error.message : `${error.message} (${error.hint})`;
}

if (process.send === undefined) throw new Error('a worker is started by its supervisor: run `wherry daemon start`');
process.on('message', (message: ToWorker) => {
  if (message.type === 'drain') drain();
});
process.once('disconnect', orphaned);
process.on('SIGTERM', drain);
// A terminal sends these to the supervisor too, which drains its workers in its own way.
for (const name of ['SIGINT', 'SIGHUP'] as const) process.on(name, () => undefined);
// The supervisor reads our streams; when it dies, what we print meets a closed pipe.
for (const stream of [process.stdout, process.stderr]) stream.on('error', drain);

let exitCode = 0;
try {
  await work(process.argv[2], process.argv[3]);
} catch (error) {
  exitCode = 1;
  process.stderr.write(`${wordsOf(error)}\n`);
}
// Connections that do not close must not keep a worker that has given its leases back.
process.exit(exitCode);
