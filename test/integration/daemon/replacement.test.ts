import { readFileSync } from 'node:fs';
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { daemonStatus } from '../../../src/daemon/client.js';
import type { HookInput } from '../../../src/daemon/messages.js';
import type { ProcessDetails } from '../../../src/engine/views.js';
import { execute } from '../../rigs/command.js';
import { until } from '../../rigs/until.js';
import { type DaemonRig, pidOf, startDaemonRig } from './rig.js';

let rig: DaemonRig;
beforeEach(async () => {
  rig = await startDaemonRig();
});
afterEach(() => rig[Symbol.asyncDispose]());

const pids = async () => (await rig.status()).workers.map(pidOf);

/** Counts the ready workers again and again until `stop`; the fewest that there ever were. */
function watchReady(): { stop(): Promise<number> } {
  let fewest = Number.POSITIVE_INFINITY;
  let going = true;
  const watching = (async () => {
    while (going) {
      const { workers } = await rig.status();
      fewest = Math.min(fewest, workers.filter(({ state }) => state === 'ready').length);
    }
  })();
  return {
    async stop() {
      going = false;
      await watching;
      return fewest;
    },
  };
}

/** The job that was blocked ends after one run. */
async function endsAfterOneRun(): Promise<void> {
  await rig.wherry.succeed(['wait', '1', '--timeout', '60s']);
  expect(await rig.wherry.succeed(['files', 'cat', '1', 'stdout.txt'])).toBe('run\n');
  const details = JSON.parse(await rig.wherry.succeed(['show', '1', '--json'])) as ProcessDetails;
  expect(details.attempts).toHaveLength(1);
}

describe('workers that are too old', () => {
  it('are replaced one after another, while there are always enough and jobs go on', async () => {
    await rig.startWith({ maxAge: 6_000 }, 2);
    const old = await pids();
    const blocked = await rig.submitBlocked();
    const watch = watchReady();
    await until(async () => (await pids()).every((pid) => !old.includes(pid)), {
      what: 'the replacement of both',
      timeout: 60_000,
    });
    expect(await watch.stop()).toBeGreaterThanOrEqual(2);
    await Promise.all(old.map(rig.ended));
    await blocked.release();
    await endsAfterOneRun();
    expect((await rig.status()).notReplaced).toBeNull();
  });
});

describe('a worker that is too large', () => {
  it('is replaced, and a hook is told why', async () => {
    const file = path.join(rig.wherry.folder, 'told');
    const onStatus = ['sh', '-c', 'grep worker-replaced >> "$0" || true', file];
    // A fresh worker is larger than that, and not by twice as much.
    await rig.startWith({ maxMemory: 80e6, onStatus }, 1);
    const [old] = await pids();
    await rig.ended(old ?? 0);
    const told = await until(() => readFileSync(file, { encoding: 'utf8', flag: 'a+' }).split('\n')[0] || undefined, {
      what: 'the hook',
    });
    const { event } = JSON.parse(told) as HookInput;
    // Its successor is too large as well, and only the last of what happens meanwhile is told.
    const numbers = { worker: expect.any(Number), successor: expect.any(Number) };
    expect(event).toMatchObject({ type: 'worker-replaced', ...numbers });
    expect((event as { why: string }).why).toMatch(/^\d+ MB of memory, where 80 MB are allowed$/);
  });
});

describe('daemon reload', () => {
  it('replaces all workers, never without a ready one, and jobs go on', async () => {
    await rig.wherry.succeed(['daemon', 'start', '--workers', '2']);
    const old = await pids();
    const { pid } = await rig.status();
    const blocked = await rig.submitBlocked();
    const watch = watchReady();
    expect(await rig.wherry.succeed(['daemon', 'reload'])).toBe('2 workers replaced\n');
    expect(await watch.stop()).toBeGreaterThanOrEqual(2);
    await Promise.all(old.map(rig.ended));
    await rig.ready(2);
    expect((await rig.status()).pid).toBe(pid);
    await blocked.release();
    await endsAfterOneRun();
  });

  it('comes by SIGHUP too', async () => {
    await rig.wherry.succeed(['daemon', 'start']);
    const [old] = await pids();
    const { pid } = await rig.status();
    process.kill(pid, 'SIGHUP');
    await rig.ended(old ?? 0);
    await rig.ready(1);
    expect((await rig.status()).pid).toBe(pid);
  });

  it('needs a daemon', async () => {
    expect(await rig.wherry.run(['daemon', 'reload'])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('wherry daemon start'),
    });
  });

  it('runs the code that is installed now; where that does not start, all goes on as before', async () => {
    const root = fileURLToPath(new URL('../../../', import.meta.url));
    const installed = path.join(rig.wherry.folder, 'installed');
    await mkdir(installed);
    for (const name of ['dist', 'package.json'])
      await cp(path.join(root, name), path.join(installed, name), { recursive: true });
    await symlink(path.join(root, 'node_modules'), path.join(installed, 'node_modules'));
    const wherry = (...words: string[]) =>
      execute([process.execPath, path.join(installed, 'dist/src/cli/main.js'), ...words], {
        environment: { WHERRY_HOME: rig.wherry.home },
        timeout: 90_000,
      });
    await wherry('daemon', 'start', '--workers', '2');
    const worker = path.join(installed, 'dist/src/daemon/worker.js');
    const good = await readFile(worker, 'utf8');
    const [before, codes] = [await pids(), (await rig.status()).workers.map(({ code }) => code)];

    await writeFile(worker, 'console.error("this build is broken"); process.exit(1);\n');
    const failed = await wherry('daemon', 'reload');
    expect(failed.exitCode).toBe(1);
    expect(failed.stdout).toBe('0 workers replaced\n');
    expect(failed.stderr).toContain('worker 1 was not replaced: this build is broken');
    expect(await pids()).toEqual(before);
    expect((await wherry('daemon', 'status')).stdout).toMatch(/trouble .*this build is broken/);

    await writeFile(worker, `${good}\n// Mended.\n`);
    expect((await wherry('daemon', 'reload')).stdout).toBe('2 workers replaced\n');
    const status = await daemonStatus({ directory: rig.directory });
    expect(status?.notReplaced).toBeNull();
    expect(new Set(status?.workers.map(({ code }) => code))).not.toEqual(new Set(codes));
    expect((await wherry('daemon', 'status')).stderr).not.toContain('other code');
  });
});

describe('the figures of a worker', () => {
  it('stand in columns, and all of them in --json', async () => {
    const { wherry } = rig;
    await wherry.succeed(['daemon', 'start']);
    const blocked = await rig.submitBlocked();
    const heartbeat = await until(
      async () => {
        const [found] = (await rig.status()).workers.map((each) => each.heartbeat);
        return found !== null && found !== undefined && found.computers === 1 && found;
      },
      { what: 'a worker that holds a computer', timeout: 30_000 },
    );
    expect(heartbeat.memory).toBeGreaterThan(10e6);
    expect(heartbeat.cpuTime).toBeGreaterThan(0.05);
    expect(heartbeat.cpu).toBeGreaterThanOrEqual(0);
    expect(heartbeat.delayMax).toBeGreaterThanOrEqual(heartbeat.delayP99);
    expect(heartbeat.children).toBeGreaterThanOrEqual(0);
    const [header = '', line = ''] = (await wherry.succeed(['daemon', 'status'])).split('\n').slice(3);
    const titles = ['WORKER', 'PID', 'STATE', 'AGE', 'HEARD', 'MEMORY', 'CPU', 'CPU TIME', 'DELAY P99/MAX'];
    for (const title of [...titles, 'COMPUTERS', 'STEPS', 'CHILDREN', 'RESTARTS']) expect(header).toContain(title);
    expect(line).toMatch(/\d+ MB +\d+% +\d+\.\d s +\d+\/\d+ ms +1 +\d+ +\d+/);
    const { workers } = JSON.parse(await wherry.succeed(['daemon', 'status', '--json']));
    expect(Object.keys(workers[0].heartbeat).sort()).toEqual(Object.keys(heartbeat).sort());
    await blocked.release();
  });
});
