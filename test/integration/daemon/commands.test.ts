import { statSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startDaemon } from '../../rigs/daemon.js';
import { until } from '../../rigs/until.js';
import { type DaemonRig, pidOf, runs, startDaemonRig } from './rig.js';

let rig: DaemonRig;
beforeEach(async () => {
  rig = await startDaemonRig();
});
afterEach(() => rig[Symbol.asyncDispose]());

describe('daemon start, status, stop', () => {
  it('runs what is submitted, and leaves nothing behind', async () => {
    const { wherry } = rig;
    expect(await wherry.succeed(['daemon', 'start', '--workers', '2'])).toContain('running with 2 workers');
    const status = JSON.parse(await wherry.succeed(['daemon', 'status', '--json']));
    expect(status).toMatchObject({ running: true, wanted: 2, breaker: null, foreground: false, state: 'running' });
    expect(status.workers).toMatchObject([
      { number: 1, state: 'ready', restarts: 0 },
      { number: 2, state: 'ready', restarts: 0 },
    ]);
    expect(statSync(path.join(rig.directory, 'daemon.sock')).mode & 0o777).toBe(0o600);

    expect(await wherry.succeed(['status'])).toContain(`running with 2 workers (pid ${status.pid})`);

    await wherry.succeed(['submit', '--computer', 'localhost', '--', 'echo', 'carried']);
    const waited = await wherry.run(['wait', '1', '--timeout', '60s']);
    expect(waited.exitCode).toBe(0);
    expect(waited.stderr).not.toContain('nothing drives');
    expect(await wherry.succeed(['files', 'cat', '1', 'stdout.txt'])).toBe('carried\n');
    const heard = await until(async () => (await rig.status()).workers.find(({ heartbeat }) => heartbeat !== null), {
      what: 'a heartbeat',
    });
    expect(heard.heartbeat?.memory).toBeGreaterThan(10_000_000);

    const { pid, workers } = await rig.status();
    expect(await wherry.succeed(['daemon', 'stop'])).toBe('daemon stopped\n');
    await Promise.all([pid, ...workers.map(pidOf)].map(rig.ended));
    expect(await wherry.run(['daemon', 'stop'])).toMatchObject({ exitCode: 0, text: '' });
    const none = await wherry.run(['daemon', 'status']);
    expect(none).toMatchObject({ exitCode: 1, text: '' });
    expect(none.stderr).toContain('wherry daemon start');
    expect(JSON.parse(await wherry.succeed(['status', '--json']))).toMatchObject({ daemon: null, daemonTrouble: null });
    expect(JSON.parse((await wherry.run(['daemon', 'status', '--json'])).text)).toEqual({ running: false });
  });

  it('refuses a second daemon, also one in the foreground, and the first goes on', async () => {
    const { wherry } = rig;
    await wherry.succeed(['daemon', 'start']);
    const { pid } = await rig.status();
    const second = await wherry.run(['daemon', 'start']);
    expect(second).toMatchObject({ exitCode: 1, text: '' });
    expect(second.stderr).toContain(`already`);
    expect(second.stderr).toContain(`pid ${pid}`);
    const third = await wherry.run(['daemon', 'start', '--foreground']);
    expect(third.exitCode).toBe(1);
    expect(third.stderr).toContain('a daemon runs already');
    expect((await rig.status()).pid).toBe(pid);
  });

  it('starts one of two that start at once', async () => {
    const both = await Promise.all([1, 2].map(() => rig.wherry.run(['daemon', 'start'])));
    expect(both.map(({ exitCode }) => exitCode).sort()).toEqual([0, 1]);
    await rig.ready(1);
  });

  it('says why it cannot start, with the last words of the log, and leaves nothing', async () => {
    const { wherry } = rig;
    await mkdir(rig.directory, { recursive: true, mode: 0o700 });
    await writeFile(path.join(rig.directory, 'store.sqlite'), 'this is no database at all, whatever its name says');
    const outcome = await wherry.run(['daemon', 'start', '--workers', '2']);
    expect(outcome).toMatchObject({ exitCode: 1, text: '' });
    expect(outcome.stderr).toContain('daemon ended');
    expect(outcome.stderr).toContain('file is not a database');
    expect((await wherry.run(['daemon', 'status'])).exitCode).toBe(1);
  });

  it.each([['0'], ['x'], ['1000']])('refuses %s workers as bad input', async (count) => {
    expect((await rig.wherry.run(['daemon', 'start', '--workers', count])).exitCode).toBe(2);
  });
});

describe('daemon start --foreground', () => {
  it('tells its log on stderr and ends well after SIGTERM', async () => {
    let sent = false;
    const outcome = await rig.wherry.run(['daemon', 'start', '--foreground', '--workers', '2'], {
      onStderr: (text, kill) => {
        if (sent || text.split('"ready"').length < 3) return;
        sent = true;
        kill('SIGTERM');
      },
    });
    expect(outcome).toMatchObject({ exitCode: 0, signal: null, text: '' });
    const lines = outcome.stderr.trim().split('\n');
    const entries = lines.map((line) => JSON.parse(line) as { message: string });
    expect(entries.at(-1)?.message).toBe('daemon ended');
    expect((await rig.wherry.run(['daemon', 'status'])).exitCode).toBe(1);
  });
});

describe('explain', () => {
  it('knows whether a daemon will take up what nobody drives', async () => {
    const { wherry } = rig;
    // Paused from the start, so that no worker has anything to do with its computer.
    await wherry.succeed(['submit', '--computer', 'localhost', '--', 'true']);
    await wherry.succeed(['pause', '1']);
    expect(await wherry.succeed(['explain', '1'])).toContain('nothing drives localhost now: run `wherry daemon start`');
    await wherry.succeed(['daemon', 'start']);
    const explained = await wherry.succeed(['explain', '1']);
    expect(explained).not.toContain('nothing drives');
  });
});

describe('daemon scale and restart', () => {
  it('adds and drains workers at once, and a restart keeps their number', async () => {
    const { wherry } = rig;
    await wherry.succeed(['daemon', 'start']);
    const [first] = await rig.ready(1);
    expect(await wherry.succeed(['daemon', 'scale', '3'])).toContain('with 3 workers');
    const three = await rig.ready(3);
    expect(await wherry.succeed(['daemon', 'scale', '2'])).toContain('with 2 workers');
    const two = await rig.ready(2);
    expect(two.map(({ number }) => number)).toEqual([1, 2]);
    expect(pidOf(two[0])).toBe(pidOf(first));
    expect(runs(pidOf(three[2]))).toBe(false);

    const { pid } = await rig.status();
    expect(await wherry.succeed(['daemon', 'restart'])).toContain('with 2 workers');
    await rig.ready(2);
    expect((await rig.status()).pid).not.toBe(pid);
    await rig.ended(pid);
  });

  it('needs a daemon to scale', async () => {
    const outcome = await rig.wherry.run(['daemon', 'scale', '2']);
    expect(outcome.exitCode).toBe(1);
    expect(outcome.stderr).toContain('wherry daemon start');
  });
});

describe('daemon logs', () => {
  it('prints the last lines, and those that follow', async () => {
    const { wherry } = rig;
    await wherry.succeed(['daemon', 'start']);
    const [worker] = await rig.ready(1);
    expect(await wherry.succeed(['daemon', 'logs'])).toContain('worker 1: ready');
    expect((await wherry.succeed(['daemon', 'logs', '--lines', '1', '--json'])).trim().split('\n')).toHaveLength(1);
    const program = fileURLToPath(new URL('../../../dist/src/cli/main.js', import.meta.url));
    const following = await startDaemon([process.execPath, program, 'daemon', 'logs', '--follow'], {
      log: path.join(wherry.folder, 'followed'),
      environment: { WHERRY_HOME: wherry.home },
    });
    try {
      await until(() => following.lastWords().includes('ready'), { what: 'the lines that are there' });
      process.kill(pidOf(worker), 'SIGKILL');
      await until(() => following.lastWords().includes('signal SIGKILL'), { what: 'a new line' });
    } finally {
      await following.stop();
    }
  });
});

describe('daemon install', () => {
  it('writes a unit that runs the same daemon in the foreground', async () => {
    const { wherry } = rig;
    const environment = { HOME: wherry.folder, XDG_CONFIG_HOME: '' };
    const unit = await wherry.succeed(['daemon', 'install', '--print', '--workers', '3'], { environment });
    expect(unit).toContain(`--home ${wherry.home} --profile default --workers 3`);
    expect(unit).toContain('daemon start --foreground');
    const outcome = await wherry.run(['daemon', 'install', '--workers', '3'], { environment });
    expect(outcome.text).toBe('systemctl --user daemon-reload\nsystemctl --user enable --now wherry-default.service\n');
    const file = path.join(wherry.folder, '.config/systemd/user/wherry-default.service');
    expect(await readFile(file, 'utf8')).toBe(unit);
  });
});
