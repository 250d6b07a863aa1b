import { execFile, spawn } from 'node:child_process';
import { appendFile, chmod, copyFile, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import transport from '../../../transports/ssh/index.js';
import type { SshSettings } from '../../../transports/ssh/settings.js';
import { freePort, makeKey, type Sshd, startSshd } from '../../rigs/sshd.js';
import { startProxy } from '../../rigs/tcp-proxy.js';

const run = promisify(execFile);
const timeout = 20_000;
const agentProgram = 'ssh-agent';
let sshd: Sshd;

beforeAll(async () => {
  sshd = await startSshd({
    banner: 'AUTHORIZED USERS ONLY\nwherry-0000 12\n',
    homeFiles: {
      '.bashrc':
        'echo "welcome to the $BASH_EXECUTION_STRING cluster"; printf "no line end"; echo quota exceeded >&2\n',
    },
  });
  await makeKey(join(sshd.directory, 'locked'), 'ed25519', 'open sesame');
  await makeKey(join(sshd.directory, 'rsa'), 'rsa');
  await makeKey(join(sshd.directory, 'ecdsa'), 'ecdsa');
  await makeKey(join(sshd.directory, 'stranger'), 'ed25519');
  for (const name of ['locked', 'rsa', 'ecdsa']) {
    await appendFile(sshd.authorizedKeysFile, await readFile(join(sshd.directory, `${name}.pub`), 'utf8'));
  }
});

afterAll(() => sshd?.stop());

const open = (settings: Partial<SshSettings> = {}) => transport.open({ ...sshd.connection, ...settings }, { timeout });

async function expectLogin(settings: Partial<SshSettings> = {}): Promise<void> {
  await using connection = await open(settings);
  expect(connection.user).toBe(sshd.user);
  expect(connection.home).toBe(sshd.home);
  // Banner and start-up files of this server print a lot; none of it may pass for output.
  expect(await connection.exec('echo a; echo b >&2', { timeout })).toMatchObject({
    stdout: 'a\n',
    stderr: 'b\n',
    noise: expect.stringMatching(/cluster[\s\S]*no line end[\s\S]*quota exceeded/),
  });
}

describe('a login succeeds', () => {
  test('with a key', () => expectLogin());

  test.each(['rsa', 'ecdsa'])('with an %s key', (name) => expectLogin({ identityFile: join(sshd.directory, name) }));

  test('with the second of two keys', () =>
    expectLogin({ identityFile: [join(sshd.directory, 'stranger'), sshd.identityFile] }));

  test('with a locked key and its passphrase from a file or the environment', async () => {
    const identityFile = join(sshd.directory, 'locked');
    const passphraseFile = join(sshd.directory, 'passphrase');
    await writeFile(passphraseFile, 'open sesame\n', { mode: 0o600 });
    await expectLogin({ identityFile, passphraseFile });
    process.env.WHERRY_TEST_PASSPHRASE = 'open sesame';
    await expectLogin({ identityFile, passphraseEnvironment: 'WHERRY_TEST_PASSPHRASE' });
  });

  test('with a key that only the agent holds', async () => {
    const socket = join(sshd.directory, 'agent');
    const agent = spawn(agentProgram, ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await new Promise((resolve) => agent.stdout.once('data', resolve));
      const key = join(sshd.directory, 'agent-key');
      await copyFile(sshd.identityFile, key);
      await copyFile(`${sshd.identityFile}.pub`, `${key}.pub`);
      await chmod(key, 0o600);
      const env = { ...process.env, SSH_AUTH_SOCK: socket };
      await run('ssh-add', ['-q', join(sshd.directory, 'stranger'), key], { env });
      await expectLogin({ agent: socket, identityFile: [] });
      await expectLogin({ agent: socket, identityFile: `${key}.pub`, identitiesOnly: true });
    } finally {
      agent.kill();
    }
  });

  test('by a Host of an OpenSSH configuration', async () => {
    const configFile = join(sshd.directory, 'config');
    const lines = [
      'Host cluster',
      'HostName 127.0.0.1',
      `Port ${sshd.port}`,
      `User ${sshd.user}`,
      'IdentityAgent none',
      `IdentityFile ${sshd.directory}/%n/../identity`,
      `UserKnownHostsFile ${sshd.knownHostsFile}`,
    ];
    await writeFile(configFile, `${lines.join('\n  ')}\n`);
    await run('mkdir', ['-p', join(sshd.directory, 'cluster')]);
    await using connection = await transport.open({ host: 'cluster', configFile }, { timeout });
    expect(connection.user).toBe(sshd.user);
  });

  test('in a login environment', async () => {
    await writeFile(join(sshd.home, '.bash_profile'), 'echo noise; export SITE="the site\'s own"\n');
    await using connection = await open({ loginShell: true });
    const script = 'printf "%s\\n" "$SITE" "$0"\ncat';
    expect((await connection.exec(script, { timeout, stdin: 'in' })).stdout).toBe("the site's own\nsh\nin");
    await using plain = await open();
    expect((await plain.exec('echo "$SITE"', { timeout })).stdout).toBe('\n');
  });
});

describe('a login fails', () => {
  test('with a key that the server does not know, and says what was tried', async () => {
    const identityFile = [join(sshd.directory, 'stranger'), join(sshd.directory, 'locked'), '/no/such/key'];
    await expect(open({ identityFile })).rejects.toMatchObject({
      code: 'authentication-refused',
      transient: false,
      message: expect.stringMatching(
        /tried: ssh-ed25519 key \S+stranger; \/no\/such\/key does not exist.*locked is locked by a pass.*accepts: publickey/,
      ),
      hint: expect.stringContaining('authorized_keys'),
    });
  });

  test('without any key', async () => {
    await expect(open({ identityFile: '/no/such/key' })).rejects.toMatchObject({
      code: 'authentication-refused',
      message: expect.stringContaining('nothing to log in with'),
    });
  });

  test('with a wrong passphrase, without telling it', async () => {
    process.env.WHERRY_TEST_PASSPHRASE = 'a wrong secret';
    const refused = open({
      identityFile: join(sshd.directory, 'locked'),
      passphraseEnvironment: 'WHERRY_TEST_PASSPHRASE',
    });
    await expect(refused).rejects.toMatchObject({
      code: 'authentication-refused',
      message: expect.stringMatching(/cannot be unlocked(?!.*secret)/),
    });
  });

  test('for an unknown user', async () => {
    await expect(open({ user: 'nobody-of-this-name' })).rejects.toMatchObject({ code: 'authentication-refused' });
  });

  test('with an agent that is not there', async () => {
    await expect(open({ agent: '/no/agent', identityFile: [] })).rejects.toMatchObject({
      code: 'authentication-refused',
      message: expect.stringContaining('the agent at /no/agent does not answer'),
    });
  });
});

describe('a computer cannot be reached', () => {
  test('when nothing listens', async () => {
    await expect(open({ port: await freePort() })).rejects.toMatchObject({
      code: 'connection-failed',
      transient: true,
      message: expect.stringContaining('connection refused'),
    });
  });

  test('when its name does not exist', async () => {
    await expect(open({ host: 'no-such-host.invalid' })).rejects.toMatchObject({
      code: 'connection-failed',
      message: expect.stringMatching(/name/),
    });
  });

  test('when something else listens', async () => {
    const server = createServer((socket) => socket.resume().end('220 mail.example.org ESMTP\r\n'.repeat(3)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    await expect(open({ port })).rejects.toMatchObject({ code: 'connection-failed', transient: true });
    await new Promise((resolve) => server.close(resolve));
  });

  test('when it never answers', async () => {
    await using proxy = await startProxy({ target: sshd.port });
    proxy.stall();
    const slow = transport.open({ ...sshd.connection, port: proxy.port }, { timeout: 300 });
    await expect(slow).rejects.toMatchObject({ code: 'timed-out', transient: true });
    const controller = new AbortController();
    const stopped = transport.open({ ...sshd.connection, port: proxy.port }, { timeout, signal: controller.signal });
    controller.abort();
    await expect(stopped).rejects.toMatchObject({ code: 'aborted' });
  });

  test('when it cuts the connection in the handshake or in the login', async () => {
    await using proxy = await startProxy({ target: sshd.port });
    for (const bytes of [0, 100, 1_500, 2_300]) {
      proxy.cutAfter(bytes, 'down');
      const settings = { ...sshd.connection, port: proxy.port, knownHostsFile: '/dev/null' };
      await expect(transport.open(settings, { timeout })).rejects.toMatchObject({
        code: expect.stringMatching(/connection-failed|host-key-unknown/),
      });
    }
  });
});

test('settings that would be read as options are refused', () => {
  for (const host of ['-oProxyCommand=id', '', 'a b', 'a;b']) {
    expect(transport.connection.safeParse({ host }).success).toBe(false);
  }
  expect(transport.connection.safeParse({ host: 'h', user: '-x' }).success).toBe(false);
  expect(transport.connection.safeParse({ host: 'h', unknown: 1 }).success).toBe(false);
  expect(transport.connection.safeParse(sshd.connection).success).toBe(true);
});
