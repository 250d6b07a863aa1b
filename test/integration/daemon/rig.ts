import { readFileSync } from 'node:fs';
import path from 'node:path';
import { daemonStatus } from '../../../src/daemon/client.js';
import type { DaemonStatus, WorkerStatus } from '../../../src/daemon/messages.js';
import { type CommandLine, startCommandLine } from '../../rigs/command-line.js';
import { until } from '../../rigs/until.js';

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
    return words.includes('cli/main.js') || words.includes('daemon/worker.js');
  } catch {
    return false;
  }
}

/** The pid of a worker that runs. */
export function pidOf(worker: WorkerStatus | undefined): number {
  if (worker?.pid === undefined || worker.pid === null) throw new Error('this worker does not run');
  return worker.pid;
}
