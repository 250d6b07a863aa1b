import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import transport from '../../../transports/ssh/index.js';
import type { SshSettings } from '../../../transports/ssh/settings.js';
import { type Sshd, startSshd } from '../../rigs/sshd.js';

const timeout = 20_000;
let target: Sshd;
let first: Sshd;
let second: Sshd;

beforeAll(async () => {
  [target, first, second] = await Promise.all([startSshd(), startSshd(), startSshd()]);
});

afterAll(() => Promise.all([target, first, second].map((sshd) => sshd?.stop())));

async function configured(lines: readonly string[] = []): Promise<SshSettings> {
  const host = (name: string, sshd: Sshd) => [
    `Host ${name}`,
    'HostName 127.0.0.1',
    `Port ${sshd.port}`,
    `User ${sshd.user}`,
    `IdentityFile ${sshd.identityFile}`,
    `UserKnownHostsFile ${sshd.knownHostsFile}`,
  ];
  const configFile = join(target.directory, 'jump_config');
  const text = [...lines, ...host('first', first), ...host('second', second), ...host('target', target)];
  await writeFile(configFile, `${text.join('\n')}\n`);
  return { host: 'target', configFile, agent: 'none' };
}

async function expectReached(settings: SshSettings, hops: readonly Sshd[]): Promise<void> {
  const before = hops.map((hop) => logins(hop));
  await using connection = await transport.open(settings, { timeout });
  expect(connection.home).toBe(target.home);
  expect((await connection.exec('echo far', { timeout })).stdout).toBe('far\n');
  expect(hops.map((hop, index) => logins(hop) - (before[index] ?? 0))).toEqual(hops.map(() => 1));
}

const logins = (sshd: Sshd) => sshd.log().split('Accepted publickey').length - 1;

test('through one jump host', async () => {
  await expectReached({ ...(await configured()), proxyJump: 'first' }, [first, target]);
});

test('through two jump hosts, one after the other', async () => {
  await expectReached({ ...(await configured()), proxyJump: 'first,second' }, [first, second, target]);
});

test('through the jump hosts that the OpenSSH configuration names, one of which has its own', async () => {
  const settings = await configured(['Host target', 'ProxyJump second', 'Host second', 'ProxyJump first']);
  await expectReached(settings, [first, second, target]);
  await expectReached({ ...settings, proxyJump: 'none' }, [target]);
});

test('with the settings of the computer for a jump host that no configuration names', async () => {
  const proxyJump = `${first.user}@127.0.0.1:${first.port}`;
  const settings = {
    ...target.connection,
    proxyJump,
    identityFile: [target.identityFile, first.identityFile],
    knownHostsFile: [target.knownHostsFile, first.knownHostsFile],
  };
  await expectReached(settings, [first, target]);
});

test('the host key of a jump host is checked', async () => {
  const settings = await configured();
  const proxyJump = `127.0.0.1:${first.port}`;
  await expect(transport.open({ ...settings, proxyJump }, { timeout })).rejects.toMatchObject({
    code: 'host-key-unknown',
    message: expect.stringContaining(`[127.0.0.1]:${first.port}`),
  });
});

test('the host key of a computer behind a jump host is checked, with a hint that works from here', async () => {
  const settings = { ...(await configured()), proxyJump: 'first', knownHostsFile: first.knownHostsFile };
  await expect(transport.open(settings, { timeout })).rejects.toMatchObject({
    code: 'host-key-unknown',
    hint: expect.stringMatching(/echo '\[127\.0\.0\.1\]:\d+ ssh-ed25519 .*' >>/),
  });
});

test('a computer that the jump host cannot reach', async () => {
  const settings = { ...(await configured()), proxyJump: 'first', port: 1 };
  await expect(transport.open(settings, { timeout })).rejects.toMatchObject({
    code: 'connection-failed',
    transient: true,
    message: expect.stringContaining('the jump host cannot reach'),
  });
});

test('jump hosts in a circle are found out', async () => {
  const settings = await configured(['Host target', 'ProxyJump second', 'Host second', 'ProxyJump target']);
  await expect(transport.open(settings, { timeout })).rejects.toMatchObject({ code: 'bad-input' });
});

test('a jump host that dies takes the connection with it', async () => {
  await using connection = await transport.open({ ...(await configured()), proxyJump: 'first' }, { timeout });
  const running = connection.exec('sleep 100', { timeout });
  await first.killSessions();
  await expect(running).rejects.toMatchObject({ code: 'connection-lost', transient: true });
  expect(connection.lost.aborted).toBe(true);
});
