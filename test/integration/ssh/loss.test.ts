import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Connection } from '../../../src/plugin.js';
import transport from '../../../transports/ssh/index.js';
import { type Sshd, startSshd } from '../../rigs/sshd.js';
import { startProxy, type TcpProxy } from '../../rigs/tcp-proxy.js';
import { describeFile } from './local-file.js';

const timeout = 20_000;
const size = 64 * 1024 * 1024;
const lost = { code: 'connection-lost', transient: true };
let sshd: Sshd;
let proxy: TcpProxy;
let connection: Connection;
let local: string;

beforeAll(async () => {
  sshd = await startSshd();
  local = await mkdtemp(join(tmpdir(), 'wherry-loss-'));
  await writeFile(join(local, 'big'), randomBytes(size));
  await mkdir(join(local, 'down'));
});

beforeEach(async () => {
  proxy = await startProxy({ target: sshd.port });
  connection = await openThroughProxy(15);
});

afterEach(async () => {
  await connection.close();
  await proxy.stop();
});

afterAll(async () => {
  await sshd?.stop();
  await rm(local, { recursive: true, force: true });
});

async function openThroughProxy(keepAliveInterval: number): Promise<Connection> {
  const known = join(sshd.directory, `known-${proxy.port}`);
  await writeFile(known, (await readFile(sshd.knownHostsFile, 'utf8')).replace(`:${sshd.port}`, `:${proxy.port}`));
  const settings = { ...sshd.connection, port: proxy.port, knownHostsFile: known, keepAliveInterval };
  return await transport.open(settings, { timeout });
}

/** A command that has begun and never ends by itself. */
async function running(): Promise<{ readonly promise: Promise<unknown> }> {
  const begun = new AbortController();
  const promise = connection.exec('echo begun; exec sleep 100', { timeout, onStdout: () => begun.abort() });
  promise.catch(() => undefined);
  await once(begun.signal, 'abort');
  return { promise };
}

describe('a connection that breaks', () => {
  test('in the middle of a command', async () => {
    const { promise } = await running();
    proxy.cut();
    await expect(promise).rejects.toMatchObject(lost);
    expect(connection.lost.reason).toMatchObject(lost);
    await expect(connection.exec('true', { timeout })).rejects.toMatchObject(lost);
  });

  test('in the middle of an upload', async () => {
    proxy.cutAfter(size / 3, 'up');
    const tree = [await describeFile(join(local, 'big'), 'big')];
    const target = join(sshd.home, 'cut');
    await expect(connection.upload(tree, target, { timeout })).rejects.toMatchObject(lost);
    await using again = await openThroughProxy(15);
    await expect(again.stat(target, { timeout })).rejects.toMatchObject({ code: 'file-missing' });
  });

  test('in the middle of a download', async () => {
    await connection.exec('head -c 67108864 /dev/zero > zeros', { directory: sshd.home, timeout });
    const found = await connection.find(sshd.home, ['zeros'], { timeout });
    proxy.cutAfter(size / 3, 'down');
    const download = connection.download(sshd.home, found, join(local, 'down'), { timeout });
    await expect(download).rejects.toMatchObject(lost);
  });

  test('because the server was killed', async () => {
    const { promise } = await running();
    await sshd.killSessions();
    await expect(promise).rejects.toMatchObject(lost);
  });

  test('while it is closed, or before', async () => {
    proxy.cut();
    await connection.close();
    await connection.close();
    expect(connection.lost.aborted).toBe(true);
  });
});

describe('a peer that answers no more', () => {
  test('is found out by keep-alive', async () => {
    await using watched = await openThroughProxy(0.1);
    proxy.stall();
    await expect(watched.exec('true', { timeout })).rejects.toMatchObject(lost);
    expect(watched.lost.reason).toMatchObject({ message: expect.stringContaining('answered no more') });
  });

  test('does not hold a command beyond its time', async () => {
    proxy.stall();
    await expect(connection.exec('true', { timeout: 200 })).rejects.toMatchObject({ code: 'timed-out' });
  });

  test('does not hold a transfer beyond its time', async () => {
    const tree = [await describeFile(join(local, 'big'), 'big')];
    const upload = connection.upload(tree, join(sshd.home, 'stalled'), {
      timeout: 1_000,
      onProgress: (bytes) => {
        if (bytes > size / 4) proxy.stall();
      },
    });
    await expect(upload).rejects.toMatchObject({ code: 'timed-out' });
  });

  test('does not hold close()', async () => {
    const { promise } = await running();
    proxy.stall();
    const started = performance.now();
    await connection.close();
    expect(performance.now() - started).toBeLessThan(3_000);
    await expect(promise).rejects.toMatchObject({ code: 'connection-lost' });
  });
});

test('closing ends what is under way and leaves no session on the server', async () => {
  const before = sshd.log().length;
  const { promise } = await running();
  await connection.close();
  await expect(promise).rejects.toMatchObject({ code: 'connection-lost' });
  expect(connection.lost.aborted).toBe(true);
  expect(sshd.log().slice(before)).not.toContain('Connection reset');
});
