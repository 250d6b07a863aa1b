/**
 * The program that drives the work of a profile; a supervisor forks it. It ends when it is told to, when its
 * supervisor is gone, or when it cannot go on.
 */
import process from 'node:process';
import { Driver } from '../engine/control/driver.js';
import type { Engine } from '../engine/engine.js';
import { openProfile } from '../engine/profile.js';
import { messageOf, WherryError } from '../errors.js';
import type { FromWorker, ToWorker } from './messages.js';
import { programCode } from './program-code.js';
import { stopTimeout } from './stop-timeout.js';
import { VitalSigns } from './vital-signs.js';

/** Milliseconds. Without a supervisor nobody else ends a worker whose steps hang. */
const timing = { heartbeat: 1_000, orphanEnd: 5_000 } as const;
/** How much of the time to end is for steps in progress; in the rest what is left is stopped and leases are released. */
const shareOfSteps = 0.8;

/** Nothing more is started. */
const stop = new AbortController();
/** What is in progress is stopped. */
const hurry = new AbortController();
let workers = Number.POSITIVE_INFINITY;
let hurryTimer: NodeJS.Timeout | undefined;
let hurryAt = Number.POSITIVE_INFINITY;

/** Asked again, there is less time, never more. */
function drain(timeout: number): void {
  stop.abort();
  const at = performance.now() + timeout * shareOfSteps;
  if (at >= hurryAt) return;
  hurryAt = at;
  clearTimeout(hurryTimer);
  hurryTimer = setTimeout(() => hurry.abort(), timeout * shareOfSteps);
}

function tell(message: FromWorker): void {
  // A channel that breaks is told by `disconnect`, which ends the worker.
  if (process.connected) process.send?.(message, () => undefined);
}

function orphaned(): void {
  drain(timing.orphanEnd);
  setTimeout(() => process.exit(1), timing.orphanEnd).unref();
}

function beat(engine: Engine): void {
  const signs = new VitalSigns();
  setInterval(() => tell({ type: 'heartbeat', ...signs.take(engine.load) }), timing.heartbeat);
}

async function work(home: string | undefined, profileName: string | undefined): Promise<void> {
  await using profile = await openProfile({ home, profile: profileName });
  await using driver = await Driver.open(profile, {
    isWorker: true,
    hasCodeThread: true,
    workers: () => workers,
    onProblem: noteProblem,
  });
  const { engine } = driver;
  beat(engine);
  tell({ type: 'ready', code });
  await engine.drive({ signal: stop.signal, until: () => false });
  await engine.settle(hurry.signal);
}

/** What was said last; the same trouble is told once, for it is met every few seconds. */
let lastProblem = '';

/** Goes into the daemon's log. */
function noteProblem(error: unknown): void {
  const words = messageOf(error);
  if (words !== lastProblem) process.stderr.write(`${words}\n`);
  lastProblem = words;
}

/** The last line is what the supervisor tells as the reason. */
function wordsOf(error: unknown): string {
  if (!(error instanceof WherryError)) return `${error instanceof Error ? error.stack : ''}\n${messageOf(error)}`;
  return error.hint === undefined ? error.message : `${error.message} (${error.hint})`;
}

// Code of a user may forget a promise that fails: that must not end everything else that runs here.
process.on('unhandledRejection', noteProblem);

if (process.send === undefined) throw new Error('a worker is started by its supervisor: run `wherry daemon start`');
process.on('message', (message: ToWorker) => {
  switch (message.type) {
    case 'drain':
      return drain(message.timeout);
    case 'workers':
      workers = message.count;
  }
});
process.once('disconnect', orphaned);
// The supervisor may have died while this program was being loaded, when nobody listened yet.
if (!process.connected) orphaned();
process.on('SIGTERM', () => drain(stopTimeout));
// A terminal sends these to the supervisor too, which drains its workers in its own way.
for (const name of ['SIGINT', 'SIGQUIT', 'SIGHUP'] as const) process.on(name, () => undefined);
// The supervisor reads our streams; when it dies, what we print meets a closed pipe.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => drain(stopTimeout));

/** As it was loaded: it may be another one that is installed when this worker is ready. */
const { code } = programCode();
let exitCode = 0;
try {
  await work(process.argv[2], process.argv[3]);
} catch (error) {
  exitCode = 1;
  process.stderr.write(`${wordsOf(error)}\n`);
}
// Connections that do not close must not keep a worker that has given its leases back.
process.exit(exitCode);
