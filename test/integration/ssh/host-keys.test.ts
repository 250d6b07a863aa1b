import { execFile } from 'node:child_process';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import transport from '../../../transports/ssh/index.js';
import { makeKey, type Sshd, startSshd } from '../../rigs/sshd.js';

const run = promisify(execFile);
const timeout = 20_000;
let sshd: Sshd;
let hostKey: string;
let fingerprint: string;

beforeAll(async () => {
  sshd = await startSshd();
  for (const type of ['ed25519', 'ecdsa'] as const) await makeKey(join(sshd.directory, `other-${type}`), type);
  hostKey = await publicKey(sshd.hostKeyFile);
  fingerprint = (await run('ssh-keygen', ['-lf', `${sshd.hostKeyFile}.pub`])).stdout.split(' ')[1] ?? '';
});

afterAll(() => sshd?.stop());

async function publicKey(file: string): Promise<string> {
  return (await readFile(`${file}.pub`, 'utf8')).split(' ').slice(0, 2).join(' ');
}

async function otherKey(type: 'ed25519' | 'ecdsa'): Promise<string> {
  return await publicKey(join(sshd.directory, `other-${type}`));
}

async function openKnowing(text: string): Promise<string> {
  const knownHostsFile = join(sshd.directory, 'known');
  await writeFile(knownHostsFile, text);
  await using connection = await transport.open({ ...sshd.connection, knownHostsFile }, { timeout });
  return connection.user;
}

test('a host key that is not known is refused, with its fingerprint and how to accept it', async () => {
  await expect(openKnowing('')).rejects.toMatchObject({
    code: 'host-key-unknown',
    transient: false,
    message: expect.stringContaining(fingerprint),
    hint: expect.stringContaining(`ssh-keyscan -p ${sshd.port} 127.0.0.1 >> ${join(sshd.directory, 'known')}`),
  });
});

test('the hint of an unknown key works', async () => {
  const refused: unknown = await openKnowing('').catch((error: unknown) => error);
  const command = /run: (.*)$/.exec((refused as { hint: string }).hint)?.[1] ?? '';
  await run('sh', ['-c', command]);
  const knownHostsFile = join(sshd.directory, 'known');
  await using connection = await transport.open({ ...sshd.connection, knownHostsFile }, { timeout });
  expect(connection.user).toBe(sshd.user);
});

test('a changed host key is refused, with both fingerprints and how to forget the old one', async () => {
  const text = `# comment\n[127.0.0.1]:${sshd.port} ${await otherKey('ed25519')}\n`;
  await expect(openKnowing(text)).rejects.toMatchObject({
    code: 'host-key-changed',
    transient: false,
    message: expect.stringMatching(new RegExp(`${fingerprint.replace(/\W/g, '\\$&')}.*line 2 has SHA256:`)),
    hint: expect.stringContaining(`ssh-keygen -R '[127.0.0.1]:${sshd.port}' -f`),
  });
});

test('a key of another type than the known one is a changed key', async () => {
  const text = `[127.0.0.1]:${sshd.port} ${await otherKey('ecdsa')}\n`;
  await expect(openKnowing(text)).rejects.toMatchObject({ code: 'host-key-changed' });
});

test('the known type is asked for when the server has several', async () => {
  const ecdsa = join(sshd.directory, 'second_host_key');
  await makeKey(ecdsa, 'ecdsa');
  await using both = await startSshd({ lines: [`HostKey ${ecdsa}`] });
  await writeFile(both.knownHostsFile, `[127.0.0.1]:${both.port} ${await publicKey(ecdsa)}\n`);
  await using connection = await transport.open(both.connection, { timeout });
  expect(connection.user).toBe(both.user);
});

test('hashed names, wildcards, plain names and further files count', async () => {
  const file = join(sshd.directory, 'hashed');
  await writeFile(file, `[127.0.0.1]:${sshd.port} ${hostKey}\n`);
  await run('ssh-keygen', ['-H', '-f', file]);
  const hashed = await readFile(file, 'utf8');
  expect(hashed).toMatch(/^\|1\|/);
  expect(await openKnowing(hashed)).toBe(sshd.user);
  expect(await openKnowing(`[127.0.0.*]:* ${hostKey}\n`)).toBe(sshd.user);
  expect(await openKnowing(`127.0.0.1 ${hostKey}\n`)).toBe(sshd.user);
  const second = join(sshd.directory, 'second');
  await copyFile(sshd.knownHostsFile, second);
  const settings = { ...sshd.connection, knownHostsFile: ['/no/such/file', second] };
  await using connection = await transport.open(settings, { timeout });
  expect(connection.user).toBe(sshd.user);
});

test('a negated name and a revoked key are refused', async () => {
  await expect(openKnowing(`!*.0.0.1*,* ${hostKey}\n`)).rejects.toMatchObject({ code: 'host-key-unknown' });
  const revoked = `@revoked * ${hostKey}\n[127.0.0.1]:${sshd.port} ${hostKey}\n`;
  await expect(openKnowing(revoked)).rejects.toMatchObject({
    code: 'host-key-changed',
    message: expect.stringContaining('@revoked'),
  });
});

test('a certificate authority for hosts is explained', async () => {
  const text = `@cert-authority * ${await otherKey('ed25519')}\n`;
  await expect(openKnowing(text)).rejects.toMatchObject({
    code: 'host-key-unknown',
    message: expect.stringContaining('certificates of an authority'),
  });
});
