import { fork } from 'node:child_process';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { takeLock } from '../broker/lock.js';
import { ensureProfile, type ProfileLocation } from '../config/home.js';
import { openProfile } from '../engine/profile.js';
import { messageOf, WherryError } from '../errors.js';
import { type ControlServer, startControlServer } from './control-server.js';
import { recordHolder } from './holder.js';
import { RotatingLog } from './log.js';
import type { DaemonReply, DaemonRequest, DaemonStatus, FromDaemon } from './messages.js';
import { daemonPlaces } from './places.js';
import { programCode } from './program-code.js';
import { stopTimeout } from './stop-timeout.js';
import { Supervisor } from './supervisor.js';

export interface DaemonOptions {
  readonly workers: number;
  /** Runs as the program that the user or systemd sees, and not behind `daemon start`. */
  readonly foreground: boolean;
  /** Takes every line of the log too. */
  readonly echo?: (line: string) => void;
}

/**
 * Runs the daemon of a profile until it is stopped by a request, SIGTERM, SIGINT or SIGHUP. A second signal kills the
 * workers at once.
 * Errors: `daemon-running`, `daemon-failed` when the workers cannot be started.
 */
export async function runDaemon(location: ProfileLocation, options: DaemonOptions): Promise<void> {
  await ensureProfile(location);
  const places = daemonPlaces(location);
  const lock = takeLock(places.lockFile, 'daemon-failed');
  if (lock === undefined) {
    throw new WherryError('daemon-running', `a daemon runs already for the profile ${location.profile}`, {
      hint: 'see: wherry daemon status; with a shared home it may run on another host',
    });
  }
  const holder = recordHolder(places.holderFile);
  using log = new RotatingLog(places.logFile, options.echo === undefined ? {} : { echo: options.echo });
  const startedAt = new Date().toISOString();
  const { version, code } = programCode();
  log.write({ level: 'info', message: `daemon started: version ${version}, code ${code}`, pid: process.pid });
  const supervisor = new Supervisor({ log: log.write, fork: () => forkWorker(location) });
  const status = (): DaemonStatus => ({
    ...{ pid: process.pid, host: hostname(), version, code, startedAt },
    ...{ foreground: options.foreground, log: places.logFile },
    ...supervisor.status,
  });
  const stopping = new StopOrder();
  using _signals = stopOnSignals(stopping, supervisor);
  let server: ControlServer | undefined;
  let failure: unknown;
  try {
    server = await startControlServer(location.directory, places.socketFile, (request, signal) =>
      answer(request, supervisor, status, stopping, signal),
    );
    // Workers that opened a new store at the same time would meet in the making of it.
    await (await openProfile(location))[Symbol.asyncDispose]();
    supervisor.scale(options.workers);
    await Promise.race([supervisor.ready(), stopping.given]);
    tellStarter({ type: 'ready', status: status() });
    await stopping.given;
  } catch (error) {
    failure = error;
    log.write({ level: 'error', message: messageOf(error) });
  }
  const killed = await supervisor.stop(stopping.timeout);
  server?.close();
  log.write({ level: 'info', message: 'daemon ended', pid: process.pid });
  holder[Symbol.dispose]();
  lock[Symbol.dispose]();
  stopping.done(killed);
  if (failure !== undefined) throw failure;
}

/** Tells the program that started this one, if there is one, how that went. */
export function tellStarter(message: FromDaemon): void {
  // A starter that was interrupted is not told.
  if (process.connected) process.send?.(message, () => undefined);
}

/** Somebody's wish that the daemon ends, and the word that it has. */
class StopOrder {
  readonly given: Promise<void>;
  readonly carriedOut: Promise<number>;
  timeout = stopTimeout;
  give: () => void = () => undefined;
  done: (killed: number) => void = () => undefined;

  constructor() {
    this.given = new Promise((resolve) => {
      this.give = resolve;
    });
    this.carriedOut = new Promise((resolve) => {
      this.done = resolve;
    });
  }
}

async function answer(
  request: DaemonRequest,
  supervisor: Supervisor,
  status: () => DaemonStatus,
  stopping: StopOrder,
  signal: AbortSignal,
): Promise<DaemonReply> {
  switch (request.command) {
    case 'status':
      return { status: status() };
    case 'scale':
      supervisor.scale(request.workers);
      return { status: status() };
    case 'computer': {
      const tasks = supervisor.tasksOf(request.pid);
      return tasks === undefined
        ? { failure: { code: 'daemon-not-running', message: 'that is no worker of this daemon', transient: false } }
        : tasks.give(request, signal);
    }
    case 'stop':
      stopping.timeout = request.timeout;
      // Already stopping: the later order counts.
      if (supervisor.status.state === 'stopping') supervisor.drainAll(request.timeout);
      stopping.give();
      return { stopped: true, killed: await stopping.carriedOut };
  }
}

function stopOnSignals(stopping: StopOrder, supervisor: Supervisor): Disposable {
  let signals = 0;
  const stop = () => {
    signals += 1;
    if (signals > 1) supervisor.drainAll(0);
    stopping.give();
  };
  const names = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
  for (const name of names) process.on(name, stop);
  return {
    [Symbol.dispose]: () => {
      for (const name of names) process.off(name, stop);
    },
  };
}

function forkWorker({ home, profile }: ProfileLocation) {
  const program = fileURLToPath(new URL('./worker.js', import.meta.url));
  return fork(program, [home, profile], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
}
