import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execute, executeOrFail } from './command.js';
import { isRoot, type TestUser, testUser } from './test-user.js';

const program = '/usr/sbin/sshd';

export interface SshdOptions {
  /** Default 10, as OpenSSH has it. */
  readonly maxSessions?: number;
  /** Text that the server shows before the login. */
  readonly banner?: string;
  /** Further lines for sshd_config; the first line of a keyword wins. */
  readonly lines?: readonly string[];
  /** Environment of every session, beside HOME. Values without blanks. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Files of the session's home, e.g. `{ '.bashrc': 'echo hello' }`. */
  readonly homeFiles?: Readonly<Record<string, string>>;
  /** Absolute path of the login shell; needs root. Default: bash, or the shell of the current user. */
  readonly loginShell?: string;
  /** Default ed25519. */
  readonly hostKeyType?: 'ed25519' | 'ecdsa' | 'rsa';
  /** Default: a free one. */
  readonly port?: number;
  /** Default: that of the loopback interface. */
  readonly address?: string;
  /** Trust certificates signed by `certificateAuthority` instead of plain keys. */
  readonly certificatesOnly?: boolean;
  /** Offer SFTP. Default true. */
  readonly sftp?: boolean;
}

/** Settings of the ssh transport that reach the server. */
export interface SshdConnection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly identityFile: string;
  readonly knownHostsFile: string;
  readonly configFile: string;
  readonly agent: 'none';
}

export interface Sshd extends AsyncDisposable {
  readonly port: number;
  readonly user: string;
  /** The folder of everything that belongs to this server; readable by the login user. */
  readonly directory: string;
  /** HOME of the sessions. */
  readonly home: string;
  readonly identityFile: string;
  /** The private key that signs certificates, for `certificatesOnly`. */
  readonly certificateAuthority: string;
  readonly authorizedKeysFile: string;
  readonly knownHostsFile: string;
  readonly hostKeyFile: string;
  /** An OpenSSH client configuration without any line, so that nobody's own one is read. */
  readonly configFile: string;
  readonly connection: SshdConnection;
  /** What the server has written to its log so far, at level VERBOSE. */
  log(): string;
  /** Kills the server's processes of all open connections, not the server. */
  killSessions(): Promise<void>;
  /** Stops (SIGSTOP) or continues all processes of open connections: a computer that answers no more. */
  freeze(frozen: boolean): Promise<void>;
  stop(): Promise<void>;
}

/** Can the rig make users with other login shells? */
export const canChooseLoginShell = isRoot;

/** Starts a real OpenSSH server, on the loopback interface unless told otherwise, as a child of this process, with keys of its own. */
export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  const directory = await mkdtemp(join(tmpdir(), 'wherry-sshd-'));
  await chmod(directory, 0o755);
  const account = options.loginShell === undefined ? await testUser() : await accountWithShell(options.loginShell);
  const path = (name: string) => join(directory, name);
  const port = options.port ?? (await freePort());
  const address = options.address ?? '127.0.0.1';
  const home = path('home');
  await makeHome(home, account, options.homeFiles ?? {});
  const hostKeyType = options.hostKeyType ?? 'ed25519';
  await Promise.all([
    makeKey(path('host_key'), hostKeyType),
    makeKey(path('identity'), 'ed25519'),
    ...(options.certificatesOnly ? [makeKey(path('authority'), 'ed25519')] : []),
  ]);
  const hostKey = (await readFile(path('host_key.pub'), 'utf8')).split(' ').slice(0, 2).join(' ');
  const identity = await readFile(path('identity.pub'), 'utf8');
  await writeFile(path('known_hosts'), `[${address}]:${port} ${hostKey}\n`);
  await writeFile(path('authorized_keys'), options.certificatesOnly ? '' : identity);
  await writeFile(path('client_config'), '');
  if (options.banner !== undefined) await writeFile(path('banner'), options.banner);
  const environment = { HOME: home, ...options.environment };
  await writeFile(
    path('sshd_config'),
    `${[
      ...(options.lines ?? []),
      `Port ${port}`,
      `ListenAddress ${address}`,
      `HostKey ${path('host_key')}`,
      'PidFile none',
      `AuthorizedKeysFile ${path('authorized_keys')}`,
      ...(options.certificatesOnly ? [`TrustedUserCAKeys ${path('authority.pub')}`] : []),
      'StrictModes no',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'UsePAM no',
      'UseDNS no',
      `MaxSessions ${options.maxSessions ?? 10}`,
      'MaxStartups 100',
      ...(options.sftp === false ? [] : ['Subsystem sftp internal-sftp']),
      'LogLevel VERBOSE',
      ...(options.banner === undefined ? [] : [`Banner ${path('banner')}`]),
      `SetEnv ${Object.entries(environment)
        .map(([name, value]) => `${name}=${value}`)
        .join(' ')}`,
    ].join('\n')}\n`,
  );
  if (isRoot) await mkdir('/run/sshd', { recursive: true });
  const server = spawn(program, ['-D', '-e', '-f', path('sshd_config')], { stdio: ['ignore', 'ignore', 'pipe'] });
  const log = await listening(server);
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  const signalSessions = async (signal: NodeJS.Signals) => {
    for (const { pid } of await descendants(server.pid ?? 0, 'sshd')) send(pid, signal);
  };
  const stop = async () => {
    for (const { pid } of await descendants(server.pid ?? 0)) send(pid, 'SIGKILL');
    server.kill('SIGKILL');
    await ended;
    await rm(directory, { recursive: true, force: true });
  };
  const connection: SshdConnection = {
    host: address,
    port,
    user: account.name,
    identityFile: path('identity'),
    knownHostsFile: path('known_hosts'),
    configFile: path('client_config'),
    agent: 'none',
  };
  return {
    port,
    user: account.name,
    directory,
    home,
    identityFile: connection.identityFile,
    certificateAuthority: path('authority'),
    authorizedKeysFile: path('authorized_keys'),
    knownHostsFile: connection.knownHostsFile,
    hostKeyFile: path('host_key'),
    configFile: connection.configFile,
    connection,
    log,
    killSessions: () => signalSessions('SIGKILL'),
    freeze: (frozen) => signalSessions(frozen ? 'SIGSTOP' : 'SIGCONT'),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** A TCP port of the loopback interface that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

/** Makes a key pair `file` and `file.pub`. */
export async function makeKey(file: string, type: 'ed25519' | 'ecdsa' | 'rsa', passphrase = ''): Promise<void> {
  await executeOrFail(['ssh-keygen', '-q', '-t', type, '-N', passphrase, '-C', 'wherry test', '-f', file]);
}

async function accountWithShell(shell: string): Promise<TestUser> {
  if (!isRoot) throw new Error('choosing a login shell needs root');
  const name = `wherrytest-${shell.split('/').at(-1)}`;
  const made = await execute(['useradd', '-m', '-s', shell, name]);
  // Exit code 9: it exists already.
  if (made.exitCode !== 0 && made.exitCode !== 9) throw new Error(`useradd ${name}: ${made.stderr}`);
  // A locked password makes sshd refuse keys too; `*` matches no password without being a lock.
  if (made.exitCode === 0) await executeOrFail(['usermod', '-p', '*', name]);
  const [, , uid, gid, , home] = (await executeOrFail(['getent', 'passwd', name])).trim().split(':');
  return { name, uid: Number(uid), gid: Number(gid), home: home ?? '' };
}

async function makeHome(home: string, account: TestUser, files: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(home);
  for (const [name, content] of Object.entries(files)) {
    const file = join(home, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
  }
  if (!isRoot) return;
  await chown(home, account.uid, account.gid);
  for (const name of await readdir(home, { recursive: true })) await chown(join(home, name), account.uid, account.gid);
}

async function listening(server: ChildProcess): Promise<() => string> {
  let text = '';
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.once('exit', (code) => reject(new Error(`sshd ended at once (${code}):\n${text}`)));
    server.stderr?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('Server listening on')) resolve();
    });
  });
  return () => text;
}

interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
}

async function processes(): Promise<ProcessEntry[]> {
  const entries: ProcessEntry[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    const match = /\((.*)\) \S (\d+)/s.exec(stat);
    if (match) entries.push({ pid: Number(pid), parent: Number(match[2]), name: match[1] ?? '' });
  }
  return entries;
}

/** All processes below `root`, children before parents; only those called `name` when given. */
async function descendants(root: number, name?: string): Promise<ProcessEntry[]> {
  const all = await processes();
  const below = (parent: number): ProcessEntry[] =>
    all.filter((entry) => entry.parent === parent).flatMap((entry) => [...below(entry.pid), entry]);
  return below(root).filter((entry) => name === undefined || entry.name === name);
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
