import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { takeLock } from '../../../src/broker/lock.js';
import { daemonStatus, scaleDaemon, stopDaemon } from '../../../src/daemon/client.js';
import { startControlServer } from '../../../src/daemon/control-server.js';
import { RotatingLog } from '../../../src/daemon/log.js';
import { followLog, lastLogLines } from '../../../src/daemon/log-reader.js';
import type { DaemonReply, DaemonRequest, DaemonStatus } from '../../../src/daemon/messages.js';
import { daemonPlaces } from '../../../src/daemon/places.js';
import { differenceOf } from '../../../src/daemon/program-code.js';
import { unitFile } from '../../../src/daemon/unit-file.js';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'wherry-daemon-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('the lock', () => {
  it('is held once and can be taken again after it was given back', () => {
    const file = path.join(directory, 'daemon.lock');
    const lock = takeLock(file, 'daemon-failed');
    expect(lock).toBeDefined();
    expect(takeLock(file, 'daemon-failed')).toBeUndefined();
    lock?.[Symbol.dispose]();
    const next = takeLock(file, 'daemon-failed');
    expect(next).toBeDefined();
    next?.[Symbol.dispose]();
  });
});

describe('the log', () => {
  const texts = (file: string) =>
    readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { message: string }).message);

  it('keeps within its bounds, the newest lines first', () => {
    const file = path.join(directory, 'daemon.log');
    using log = new RotatingLog(file, { bytes: 200, generations: 2 });
    for (let count = 0; count < 20; count++) log.write({ level: 'info', message: `line ${count}` });
    expect(texts(file).at(-1)).toBe('line 19');
    for (const name of [file, `${file}.1`, `${file}.2`]) expect(readFileSync(name).length).toBeLessThanOrEqual(200);
    expect(existsSync(`${file}.3`)).toBe(false);
    expect(lastLogLines(file, 3).map((line) => JSON.parse(line).message)).toEqual(['line 17', 'line 18', 'line 19']);
  });

  it('cuts a line that is as long as a file', () => {
    const file = path.join(directory, 'daemon.log');
    using log = new RotatingLog(file);
    log.write({ level: 'warning', message: 'x'.repeat(1_000_000) });
    expect(readFileSync(file).length).toBeLessThan(10_000);
  });

  it('survives a full disk', () => {
    using log = new RotatingLog('/dev/full');
    expect(() => log.write({ level: 'info', message: 'lost' })).not.toThrow();
  });

  it('is followed line by line when files are put aside', async () => {
    const file = path.join(directory, 'daemon.log');
    using log = new RotatingLog(file, { bytes: 250 });
    log.write({ level: 'info', message: 'before' });
    const stop = new AbortController();
    const from = readFileSync(file).length;
    const seen: string[] = [];
    let next = 0;
    for await (const line of followAndWrite()) {
      seen.push((JSON.parse(line) as { message: string }).message);
      if (seen.length === 6) stop.abort();
    }
    expect(seen).toEqual(['zürich 0', 'zürich 1', 'zürich 2', 'zürich 3', 'zürich 4', 'zürich 5']);

    async function* followAndWrite() {
      log.write({ level: 'info', message: `zürich ${next++}` });
      for await (const line of followLog(file, from, stop.signal)) {
        yield line;
        if (next < 6) log.write({ level: 'info', message: `zürich ${next++}` });
      }
    }
  });
});

describe('the socket', () => {
  const status = { pid: 7 } as unknown as DaemonStatus;
  const asked: DaemonRequest[] = [];
  const answer = async (request: DaemonRequest): Promise<DaemonReply> => {
    asked.push(request);
    return request.command === 'stop' ? { stopped: true, killed: 2 } : { status };
  };

  it.each([
    ['a short path', 'a'],
    ['a path longer than an address', path.join('d'.repeat(120), 'é'.repeat(60))],
  ])('answers at %s', async (_, name) => {
    const profile = { directory: path.join(directory, name) };
    await mkdir(profile.directory, { recursive: true });
    const { socketFile } = daemonPlaces(profile);
    expect(await daemonStatus(profile)).toBeUndefined();
    const server = await startControlServer(profile.directory, socketFile, answer);
    expect(await daemonStatus(profile)).toEqual(status);
    await scaleDaemon(profile, 3);
    expect(asked.at(-1)).toEqual({ command: 'scale', workers: 3 });
    expect(await stopDaemon(profile, 10)).toEqual({ killedWorkers: 2 });
    server.close();
    expect(existsSync(socketFile)).toBe(false);
    await expect(scaleDaemon(profile, 3)).rejects.toMatchObject({ code: 'daemon-not-running' });
  });

  it.each([
    ['no JSON', 'status\n'],
    ['another request', '{"command":"explode"}\n'],
    ['too many workers', '{"command":"scale","workers":100000}\n'],
    ['a request without end', 'x'.repeat(100_000)],
  ])('refuses %s and goes on', async (_, text) => {
    const { socketFile } = daemonPlaces({ directory });
    const server = await startControlServer(directory, socketFile, answer);
    const reply = await new Promise<string>((resolve, reject) => {
      const socket = connect(socketFile, () => socket.write(text));
      socket.once('data', (data) => {
        resolve(String(data));
        socket.destroy();
      });
      socket.once('error', reject);
    });
    expect(JSON.parse(reply)).toHaveProperty('error');
    expect(await daemonStatus({ directory })).toEqual(status);
    server.close();
  });
});

describe('the unit of systemd', () => {
  it('quotes what systemd would read otherwise', () => {
    const location = {
      home: '/data/my $HOME 50%/"w"',
      profile: 'lab',
      directory,
      storeFile: '',
      repositoryDirectory: '',
      settingsFile: '',
    };
    const unit = unitFile(location, 2, { HOME: '/home/me', PATH: '/usr/bin:/opt/100%/bin' });
    expect(unit.path).toBe('/home/me/.config/systemd/user/wherry-lab.service');
    expect(unit.text).toContain('--home "/data/my $$HOME 50%%/\\"w\\"" --profile lab --workers 2\n');
    expect(unit.text).toContain('Environment="PATH=/usr/bin:/opt/100%%/bin"\n');
  });
});

describe('another program', () => {
  it('is told by its version, else by its code', () => {
    const own = { version: '2.0.0', code: 'a' };
    expect(differenceOf(own, own)).toBeUndefined();
    expect(differenceOf({ version: '1.0.0', code: 'b' }, own)).toContain('version 1.0.0');
    expect(differenceOf({ version: '2.0.0', code: 'b' }, own)).toContain('other code');
  });
});
