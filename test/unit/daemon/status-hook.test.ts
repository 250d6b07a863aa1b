import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LogEntry } from '../../../src/daemon/log.js';
import type { DaemonEvent, DaemonStatus, HookInput } from '../../../src/daemon/messages.js';
import { StatusHook } from '../../../src/daemon/status-hook.js';
import { until } from '../../rigs/until.js';

let directory: string;
let entries: LogEntry[];
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'wherry-hook-'));
  entries = [];
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const at = (name: string) => path.join(directory, name);
const started = (worker: number): DaemonEvent => ({ type: 'worker-started', worker, pid: 1 });

function hookOf(command: readonly string[], limit?: number): StatusHook {
  const describeAll = () => ({ home: '/h', profile: 'lab', status: { wanted: 2 } as DaemonStatus });
  const log = (entry: LogEntry) => void entries.push(entry);
  return new StatusHook({ command, log, describe: describeAll, ...(limit === undefined ? {} : { limit }) });
}

/** A shell script as a hook; `$0` is the folder of the test. */
const shell = (script: string, limit?: number) => hookOf(['sh', '-c', script, directory], limit);

/** What hooks have written into `seen`, one event a line. */
function seen(): HookInput[] {
  try {
    const lines = readFileSync(at('seen'), 'utf8').trim().split('\n');
    return lines.map((line) => JSON.parse(line) as HookInput);
  } catch {
    return [];
  }
}

describe('a hook', () => {
  it('reads from stdin what has happened and how everything is', async () => {
    const hook = shell('cat >> "$0/seen"');
    hook.tell({ type: 'worker-ended', worker: 3, asked: false, reason: 'signal SIGSEGV' });
    await hook.close(10_000);
    expect(seen()).toEqual([
      {
        event: { type: 'worker-ended', worker: 3, asked: false, reason: 'signal SIGSEGV' },
        at: expect.stringMatching(/^\d{4}-/),
        passedOver: 0,
        home: '/h',
        profile: 'lab',
        status: { wanted: 2 },
      },
    ]);
    expect(hook.failure).toBeNull();
  });

  it('is one at a time, and of what happens meanwhile the last is told', async () => {
    const hook = shell('until [ -e "$0/gate" ]; do sleep 0.02; done; cat >> "$0/seen"');
    const before = performance.now();
    for (let worker = 1; worker <= 50; worker++) hook.tell(started(worker));
    // Nobody waits for it.
    expect(performance.now() - before).toBeLessThan(1_000);
    await writeFile(at('gate'), '');
    await until(() => seen().length === 2, { what: 'two hooks' });
    await hook.close(10_000);
    expect(seen().map(({ event, passedOver }) => [event, passedOver])).toEqual([
      [started(1), 0],
      [started(50), 48],
    ]);
  });

  it('may leave its stdin unread', async () => {
    const hook = hookOf(['true']);
    hook.tell(started(1));
    await hook.close(10_000);
    expect(hook.failure).toBeNull();
  });
});

describe('a hook that fails', () => {
  it.each<[string, readonly string[], RegExp]>([
    ['by its exit code', ['sh', '-c', 'echo no mail >&2; exit 3'], /^exit code 3: no mail$/],
    ['by a signal', ['sh', '-c', 'kill -9 $$'], /^signal SIGKILL$/],
    ['because it is missing', ['/nowhere/at-all'], /ENOENT/],
    ['because it cannot be run', ['/dev/null'], /EACCES/],
  ])('%s is told in log and status, and the next one is run', async (_, command, reason) => {
    const hook = hookOf(command);
    hook.tell(started(1));
    await until(() => hook.failure, { what: 'the failure' });
    expect(hook.failure).toMatchObject({ event: 'worker-started', reason: expect.stringMatching(reason) });
    expect(entries).toHaveLength(1);
    hook.tell(started(2));
    await until(() => entries.length === 2, { what: 'the next failure' });
    await hook.close(1_000);
  });

  it('is forgotten when the next goes well', async () => {
    const hook = shell('[ -e "$0/well" ]');
    hook.tell(started(1));
    await until(() => hook.failure, { what: 'the failure' });
    await writeFile(at('well'), '');
    hook.tell(started(2));
    await hook.close(10_000);
    expect(hook.failure).toBeNull();
  });

  it('to end is killed with all that it has started', async () => {
    const hook = shell('sleep 1000 & echo $! > "$0/child"; wait', 500);
    hook.tell(started(1));
    await until(() => hook.failure, { what: 'the failure' });
    expect(hook.failure?.reason).toBe('it took longer than 0.5 s and was killed');
    const child = Number(readFileSync(at('child'), 'utf8'));
    await until(() => !lives(child), { what: 'the end of its child' });
  });
});

describe('at the end', () => {
  it('the last word is told though the hook before it hangs', async () => {
    const hook = shell('read line; case $line in *worker-started*) sleep 1000;; esac; echo "$line" >> "$0/seen"');
    hook.tell(started(1));
    hook.tell({ type: 'daemon-stopping' });
    hook.tell(started(2));
    await hook.close(6_000);
    expect(seen().map(({ event }) => event.type)).toEqual(['daemon-stopping']);
  });

  it('nobody waits longer than was said', async () => {
    const hook = shell('sleep 1000');
    hook.tell({ type: 'daemon-stopping' });
    const begun = performance.now();
    await hook.close(300);
    expect(performance.now() - begun).toBeLessThan(5_000);
  });
});

/** Does a program with this pid run? A zombie has ended. */
function lives(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
