import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { leaseHolder } from '../../../src/store/leases.js';
import type { ComputerRow } from '../../../src/store/tables.js';
import { executeOrFail } from '../../rigs/command.js';
import type { TestProfile } from '../../rigs/profile.js';
import { until } from '../../rigs/until.js';

const commandLine = path.resolve('dist/src/cli/main.js');

export type DriverKind = 'run' | 'tick' | 'daemon';

/** Several drivers of one computer, each a program of its own. They end when this is disposed of. */
export interface Drivers extends AsyncDisposable {
  /** Starts drivers of a kind, and makes others hand the computer over until one of these holds it. */
  start(kind: DriverKind): Promise<void>;
}

/**
 * For one computer of a profile: one foreground run after another, each with a job of its own; a cron pass every two
 * seconds; a daemon with two workers.
 */
export function driversOf({ profile }: TestProfile, computer: ComputerRow): Drivers {
  const words = (...more: string[]) => [process.execPath, commandLine, '--home', profile.location.home, ...more];
  const stop = new AbortController();
  const loops: Promise<void>[] = [];
  const children = new Map<ChildProcess, DriverKind>();
  let daemon = false;

  const again = async (kind: DriverKind, command: readonly string[], pause: number) => {
    const [program = '', ...rest] = command;
    while (!stop.signal.aborted) {
      const child = spawn(program, rest, { stdio: 'ignore' });
      children.set(child, kind);
      await once(child, 'exit');
      children.delete(child);
      // The rhythm of a cron table; nothing waits for it.
      await delay(pause, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  };
  const holder = async () => (await leaseHolder(profile.store, `computer:${computer.id}`, Date.now()))?.pid;
  const kindOf = (pid: number) => [...children].find(([child]) => child.pid === pid)?.[1] ?? 'daemon';

  return {
    async start(kind) {
      if (kind === 'run') {
        loops.push(again('run', words('run', '--computer', computer.label, '--priority', '1', '--', 'true'), 2_000));
      } else if (kind === 'tick') {
        loops.push(again('tick', words('tick'), 2_000));
      } else {
        await executeOrFail(words('daemon', 'start', '--workers', '2'));
        daemon = true;
      }
      let asked: number | undefined;
      await until(
        async () => {
          const pid = await holder();
          if (pid !== undefined && kindOf(pid) === kind) return true;
          if (pid !== undefined && pid !== asked) process.kill(pid, 'SIGTERM');
          asked = pid;
          return false;
        },
        { what: `a driver of the kind ${kind} that holds the computer`, timeout: 60_000 },
      );
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      for (const child of children.keys()) child.kill('SIGTERM');
      if (daemon) await executeOrFail(words('daemon', 'stop', '--timeout', '5s'));
      await Promise.all(loops);
    },
  };
}
