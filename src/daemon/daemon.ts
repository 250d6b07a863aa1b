import { fork } from 'node:child_process';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { takeLock } from '../broker/lock.js';
import type { DaemonSettings } from '../config/daemon-settings.js';
import { ensureProfile, type ProfileLocation } from '../config/home.js';
import { openCommunicator } from '../engine/control/open-communicator.js';
import { openProfile, profileSettings } from '../engine/profile.js';
import { messageOf, WherryError } from '../errors.js';
import { type ControlServer, startControlServer } from './control-server.js';
import { recordHolder } from './holder.js';
import { type Log, RotatingLog } from './log.js';
import type { DaemonReply, DaemonRequest, DaemonStatus, FromDaemon } from './messages.js';
import { daemonPlaces } from './places.js';
import { programCode } from './program-code.js';
import { onSignals, type SignalOrders, watchTerminal } from './signals.js';
import { StatusHook } from './status-hook.js';
import { StopOrder } from './stop-order.js';
import { stopRest, stopTimeout } from './stop-timeout.js';
import { Supervisor } from './supervisor.js';

export interface DaemonOptions {
  readonly workers: number;
  /** Runs as the program that the user or systemd sees, and not behind `daemon start`. */
  readonly foreground: boolean;
  /** Takes every line of the log too. */
  readonly echo?: (line: string) => void;
  readonly settings?: DaemonSettings;
}

/**
 * Runs the daemon of a profile until it is stopped by a request, SIGTERM, SIGINT or SIGQUIT. A second signal kills the
 * workers at once. SIGHUP replaces them.
 * Errors: `daemon-running`, `daemon-failed` when the workers cannot be started.
 */
export async function runDaemon(location: ProfileLocation, options: DaemonOptions): Promise<void> {
  await ensureProfile(location);
  const settings = options.settings ?? (await profileSettings(location)).daemon ?? {};
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
  const hook = settings.onStatus && new StatusHook({ command: settings.onStatus, log: log.write, describe });
  const supervisor = new Supervisor({
    ...{ log: log.write, settings, fork: () => forkWorker(location) },
    ...(hook === undefined ? {} : { tell: hook.tell }),
  });
  const stopping = new StopOrder(settings.stopTimeout ?? stopTimeout);
  const status = (): DaemonStatus => ({
    ...{ pid: process.pid, host: hostname(), version, code, startedAt },
    ...{ foreground: options.foreground, log: places.logFile, stopTimeout: settings.stopTimeout ?? stopTimeout },
    ...{ ...supervisor.status, hookFailure: hook?.failure ?? null },
  });
  function describe() {
    return { home: location.home, profile: location.profile, status: status() };
  }
  using _signals = onSignals(signalOrders(supervisor, stopping), watchTerminal());
  let server: ControlServer | undefined;
  let opening: Promise<AsyncDisposable | undefined> | undefined;
  let failure: unknown;
  try {
    server = await startControlServer(location.directory, places.socketFile, (request) =>
      answer(request, supervisor, status, stopping),
    );
    hook?.tell({ type: 'daemon-started' });
    opening = openHub(location, log.write);
    await Promise.race([opening, stopping.given]);
    if (!stopping.isGiven) supervisor.scale(options.workers);
    await Promise.race([supervisor.ready(), stopping.given]);
    tellStarter(stopping.isGiven ? stoppedEarly : { type: 'ready', status: status() });
    await stopping.given;
  } catch (error) {
    failure = error;
    log.write({ level: 'error', message: messageOf(error) });
  }
  const ended = supervisor.stop(stopping.timeout);
  hook?.tell({ type: 'daemon-stopping' });
  const killed = await ended;
  await hook?.close(stopRest.hook);
  await within(stopRest.hub, closeHub(opening));
  server?.close();
  log.write({ level: 'info', message: 'daemon ended', pid: process.pid });
  holder[Symbol.dispose]();
  lock[Symbol.dispose]();
  stopping.done(killed);
  if (failure !== undefined) throw failure;
}

const stoppedEarly: FromDaemon = {
  type: 'failed',
  code: 'daemon-failed',
  message: 'the daemon was stopped while it started',
  hint: undefined,
};

/** Tells the program that started this one, if there is one, how that went. */
export function tellStarter(message: FromDaemon): void {
  // A starter that was interrupted is not told.
  if (process.connected) process.send?.(message, () => undefined);
}

async function answer(
  request: DaemonRequest,
  supervisor: Supervisor,
  status: () => DaemonStatus,
  stopping: StopOrder,
): Promise<DaemonReply> {
  switch (request.command) {
    case 'status':
      return { status: status() };
    case 'scale':
      supervisor.scale(request.workers);
      return { status: status() };
    case 'reload':
      return { reloaded: await supervisor.reload() };
    case 'stop':
      stopping.give(request.timeout);
      if (supervisor.status.state === 'stopping') supervisor.drainAll(stopping.timeout);
      return { stopped: true, killed: await stopping.carriedOut };
  }
}

/** A second signal that asks for the end is somebody who has no time. */
function signalOrders(supervisor: Supervisor, stopping: StopOrder): SignalOrders {
  return {
    stop() {
      if (stopping.isGiven) supervisor.drainAll(0);
      stopping.give();
    },
    // How it went stands in the log.
    reload: () => void supervisor.reload().catch(() => undefined),
  };
}

/**
 * Opens the store once before the workers do, who would meet in the making of a new one, and has the programs of this
 * host speak to each other through this one: it lives longer than they, and is never busy. RabbitMQ needs no such.
 */
async function openHub(location: ProfileLocation, log: Log): Promise<AsyncDisposable | undefined> {
  await using profile = await openProfile(location);
  if (profile.settings.broker !== undefined) return undefined;
  const onProblem = (error: unknown) => log({ level: 'warning', message: messageOf(error), pid: process.pid });
  return openCommunicator(profile, { preferred: true, onProblem });
}

/** One that could not be opened need not be closed. */
async function closeHub(opening: Promise<AsyncDisposable | undefined> | undefined): Promise<void> {
  const hub = await opening?.catch(() => undefined);
  await hub?.[Symbol.asyncDispose]();
}

/** Waits for something, but no longer than so many milliseconds. */
async function within(patience: number, work: Promise<void>): Promise<void> {
  const stop = new AbortController();
  const ended = work.catch(() => undefined).finally(() => stop.abort());
  await Promise.race([ended, delay(patience, undefined, { signal: stop.signal, ref: false }).catch(() => undefined)]);
}

/** There may be many workers, which mostly wait: what is forgotten soon need not take 48 MB before it is cleared away. */
const frugal = '--max-semi-space-size=4';

function forkWorker({ home, profile }: ProfileLocation) {
  const program = fileURLToPath(new URL('./worker.js', import.meta.url));
  const execArgv = [...process.execArgv, frugal];
  return fork(program, [home, profile], { execArgv, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
}
