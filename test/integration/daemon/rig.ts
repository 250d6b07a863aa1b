import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { daemonStatus } from '../../../src/daemon/client.js';
import type { DaemonOptions } from '../../../src/daemon/daemon.js';
import type { DaemonStatus, WorkerStatus } from '../../../src/daemon/messages.js';
import { type CommandLine, startCommandLine } from '../../rigs/command-line.js';
import { startDaemon } from '../../rigs/daemon.js';
import { until } from '../../rigs/until.js';

/** Settings as a daemon has them, also such as no user could give. */
export type Settings = NonNullable<DaemonOptions['settings']>;

/** A command line whose daemon ends with the test, whatever happened to it. */
export interface DaemonRig extends AsyncDisposable {
  readonly wherry: CommandLine;
  /** Directory of the profile. */
  readonly directory: string;
  /** The daemon as it is now; fails when none runs. */
  status(): Promise<DaemonStatus>;
  /** Waits until so many workers are ready and no other is there. */
  ready(count: number): Promise<readonly WorkerStatus[]>;
  /** Waits until a program has ended. */
  ended(pid: number): Promise<void>;
  /** Starts a daemon in the foreground with such settings, and returns when its workers are ready. */
  startWith(settings: Settings, workers: number): Promise<void>;
  /** Submits a job that runs until `release` is called, and waits until the scheduler has it. */
  submitBlocked(): Promise<{ release(): Promise<string> }>;
}

export async function startDaemonRig(): Promise<DaemonRig> {
  const wherry = await startCommandLine();
  const directory = path.join(wherry.home, 'profiles', 'default');
  const seen = new Set<number>();
  const status = async () => {
    const daemon = await daemonStatus({ directory });
    if (daemon === undefined) throw new Error('no daemon runs');
    for (const pid of [daemon.pid, ...daemon.workers.map((worker) => worker.pid)]) if (pid !== null) seen.add(pid);
    return daemon;
  };
  const ended = async (pid: number) => {
    await until(() => !runs(pid), { what: `the end of ${pid}`, timeout: 20_000 });
  };
  return {
    wherry,
    directory,
    status,
    ended,
    async ready(count) {
      return until(
        async () => {
          const { workers } = await status();
          return workers.length === count && workers.every(({ state }) => state === 'ready') && workers;
        },
        { what: `${count} ready workers`, timeout: 30_000 },
      );
    },
    async startWith(settings, workers) {
      const program = fileURLToPath(new URL('../../rigs/settled-daemon.js', import.meta.url));
      await startDaemon([process.execPath, program, JSON.stringify(settings), String(workers)], {
        log: path.join(wherry.folder, 'settled-daemon.log'),
        environment: { WHERRY_HOME: wherry.home },
      });
      // It does not answer in the first moments.
      const there = async () => {
        const daemon = await daemonStatus({ directory }).catch(() => undefined);
        return daemon?.workers.filter(({ state }) => state === 'ready').length === workers;
      };
      await until(there, { what: 'the daemon', timeout: 60_000 });
      await status();
    },
    async submitBlocked() {
      const script = 'echo run; until [ -e "$0" ]; do sleep 0.05; done';
      const gate = path.join(wherry.folder, 'gate');
      await wherry.succeed(['submit', '--computer', 'localhost', '--', 'sh', '-c', script, gate]);
      await until(async () => (await wherry.list()).every(({ jobId }) => jobId !== null), {
        what: 'the job id',
        timeout: 60_000,
      });
      return { release: () => wherry.write('gate', '') };
    },
    async [Symbol.asyncDispose]() {
      for (const pid of seen) if (runs(pid)) process.kill(pid, 'SIGCONT');
      await wherry.run(['daemon', 'stop', '--timeout', '2s']);
      for (const pid of seen) if (runs(pid)) process.kill(pid, 'SIGKILL');
      await Promise.all([...seen].map(ended));
      await wherry[Symbol.asyncDispose]();
    },
  };
}

/** Does our program with this pid run? A zombie has ended, and so has a pid that another program got. */
export function runs(pid: number): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
    return ['cli/main.js', 'daemon/worker.js', 'settled-daemon.js'].some((name) => words.includes(name));
  } catch {
    return false;
  }
}

/** The pid of a worker that runs. */
export function pidOf(worker: WorkerStatus | undefined): number {
  if (worker?.pid === undefined || worker.pid === null) throw new Error('this worker does not run');
  return worker.pid;
}
