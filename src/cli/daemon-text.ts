import { hostname } from 'node:os';
import { daemonStatus } from '../daemon/client.js';
import { type DaemonStatus, type Heartbeat, mostWorkers, type WorkerStatus } from '../daemon/messages.js';
import { differenceOf, programCode } from '../daemon/program-code.js';
import { InputError, messageOf } from '../errors.js';
import { age, clock, counted } from './process-text.js';
import { formatTable } from './table.js';
import { paint, paintTalk, printable, say, terminalWidth } from './terminal.js';

/** Is a daemon there for this profile, and is it well? Trouble with it must not keep a command from its own work. */
export async function daemonOrTrouble(location: {
  readonly directory: string;
}): Promise<{ readonly daemon: DaemonStatus | null; readonly trouble: string | null }> {
  try {
    return { daemon: (await daemonStatus(location, 2_000)) ?? null, trouble: null };
  } catch (error) {
    return { daemon: null, trouble: messageOf(error) };
  }
}

/** Does a daemon take up what nobody drives? One that lets its workers rest does not. */
export async function daemonTakesUp(location: { readonly directory: string }): Promise<boolean> {
  const { daemon } = await daemonOrTrouble(location);
  return daemon !== null && daemon.wanted > 0 && daemon.breaker === null;
}

/** A number of workers as an argument. */
export function workerCount(given: string, least: number): number {
  const count = Number(given);
  if (/^\d+$/.test(given) && count >= least && count <= mostWorkers) return count;
  throw new InputError(`"${printable(given)}" is no number of workers`, [], {
    hint: `give a number from ${least} to ${mostWorkers}`,
  });
}

/** `running with 2 workers (pid 71 on login1)`. */
export function daemonLine({ pid, host, workers, wanted, state }: DaemonStatus): string {
  const ready = workers.filter((worker) => worker.state === 'ready').length;
  const count = ready === wanted ? counted(wanted, 'worker') : `${ready} of ${counted(wanted, 'worker')}`;
  return `${state} with ${count} (pid ${pid}${host === hostname() ? '' : ` on ${host}`})`;
}

/** What stands in the way of a daemon, one sentence each. */
export function daemonTroubles({ breaker, workers, notReplaced, hookFailure }: DaemonStatus): string[] {
  if (breaker !== null) return [`no worker is started until ${clock(breaker.until)}: ${printable(breaker.reason)}`];
  const troubles = workers
    .filter(({ state, lastEnd }) => state === 'waiting' && lastEnd !== null)
    .map(({ number, lastEnd }) => `worker ${number} ended: ${lastEnd?.reason}`);
  // A daemon of an earlier version knows nothing of the rest.
  if (notReplaced) {
    const { worker, why, reason } = notReplaced;
    troubles.push(`worker ${worker} was to be replaced (${why}) and stays, for the one in its place ended: ${reason}`);
  }
  if (hookFailure) troubles.push(`the hook for ${hookFailure.event} failed: ${hookFailure.reason}`);
  return troubles.map(printable);
}

/** Warns when the daemon runs another program than this command; one whose workers have been replaced since does not. */
export function warnOfDifference(daemon: DaemonStatus): void {
  const own = programCode();
  const difference = differenceOf(daemon, own);
  const workersAreNew = daemon.workers.length > 0 && daemon.workers.every(({ code }) => code === own.code);
  if (difference !== undefined && !workersAreNew)
    say(`${paintTalk.yellow('warning:')} ${difference}; run: wherry daemon restart`);
}

/** The workers as a table. */
export function workerTable(workers: readonly WorkerStatus[]): string {
  const lines = formatTable<WorkerStatus>(
    [
      { title: 'WORKER', align: 'right', value: ({ number }) => String(number) },
      { title: 'PID', align: 'right', value: ({ pid }) => (pid === null ? '-' : String(pid)) },
      {
        title: 'STATE',
        value: ({ state }) => state,
        paint: (text, { state }) => (state === 'ready' ? paint.green(text) : paint.yellow(text)),
      },
      { title: 'AGE', align: 'right', value: ({ startedAt }) => (startedAt === null ? '-' : age(startedAt)) },
      { title: 'HEARD', align: 'right', value: ({ heartbeatAt }) => (heartbeatAt === null ? '-' : age(heartbeatAt)) },
      { title: 'MEMORY', align: 'right', value: figure(({ memory }) => `${Math.round(memory / 1e6)} MB`) },
      { title: 'CPU', align: 'right', value: figure(({ cpu }) => `${cpu}%`) },
      { title: 'CPU TIME', align: 'right', value: figure(({ cpuTime }) => `${cpuTime.toFixed(1)} s`) },
      {
        title: 'DELAY P99/MAX',
        align: 'right',
        value: figure(({ delayP99, delayMax }) => `${Math.round(delayP99)}/${Math.round(delayMax)} ms`),
      },
      { title: 'COMPUTERS', align: 'right', value: figure(({ computers }) => String(computers)) },
      { title: 'STEPS', align: 'right', value: figure(({ steps }) => String(steps)) },
      { title: 'CHILDREN', align: 'right', value: figure(({ children }) => String(children)) },
      { title: 'RESTARTS', align: 'right', value: ({ restarts }) => String(restarts) },
      {
        title: 'LAST END',
        value: ({ lastEnd }) => (lastEnd === null ? '' : printable(`${clock(lastEnd.at)} ${lastEnd.reason}`)),
      },
    ],
    workers,
    { width: terminalWidth(process.stdout), header: paint.bold },
  );
  return lines.join('\n');
}

/** A cell with something from the last heartbeat, if there was one. */
function figure(text: (heartbeat: Heartbeat) => string): (worker: WorkerStatus) => string {
  return ({ heartbeat }) => (heartbeat === null ? '-' : text(heartbeat));
}
