import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { homedir, hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { InputError, WherryError } from '../../src/plugin.js';
import { printable } from './errors.js';

/** What OpenSSH's client would use for one host. File names are absolute. */
export interface HostConfig {
  /** The real name or address to connect to. */
  readonly hostName: string;
  readonly port: number;
  readonly user: string;
  readonly identityFiles: readonly string[];
  readonly certificateFiles: readonly string[];
  readonly identitiesOnly: boolean;
  /** Socket of the agent; undefined for none. */
  readonly agent: string | undefined;
  /** Name to look for in known_hosts instead of the host name. */
  readonly hostKeyAlias: string | undefined;
  readonly userKnownHostsFiles: readonly string[];
  readonly globalKnownHostsFiles: readonly string[];
  readonly proxyJump: string | undefined;
  readonly proxyCommand: string | undefined;
  readonly addressFamily: 'any' | 'inet' | 'inet6';
}

/** What is asked: a name as the user wrote it, and what overrides the configuration in `Match` and tokens. */
export interface HostQuery {
  readonly host: string;
  readonly port?: number | undefined;
  readonly user?: string | undefined;
  readonly configFile?: string | undefined;
}

/** Milliseconds for `ssh -G`; `Match exec` may run commands in it. */
const patience = 10_000;

/** Asks `ssh -G` what the OpenSSH configuration says of a host; without an `ssh` program, OpenSSH's defaults. */
export async function hostConfig(query: HostQuery, signal: AbortSignal): Promise<HostConfig> {
  const { host, port, user, configFile } = query;
  if (host.startsWith('-')) throw new InputError(`"${host}" is no host name`);
  const words = [
    '-G',
    ...(configFile === undefined ? [] : ['-F', expandHome(configFile)]),
    ...(port === undefined ? [] : ['-p', String(port)]),
    ...(user === undefined ? [] : ['-l', user]),
    '--',
    host,
  ];
  const text = await runSsh(words, signal);
  if (text !== undefined) return parseHostConfig(text, host);
  if (configFile !== undefined) {
    throw new InputError(`configFile needs the program "ssh", and there is none on this machine`, [], {
      hint: 'install the OpenSSH client, or write host, user, identityFile and knownHostsFile into the computer',
    });
  }
  return parseHostConfig(plainConfig(query), host);
}

/** Reads what `ssh -G host` printed. */
export function parseHostConfig(text: string, host: string): HostConfig {
  const values = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const at = line.indexOf(' ');
    if (at > 0) values.set(line.slice(0, at), [...(values.get(line.slice(0, at)) ?? []), line.slice(at + 1).trimEnd()]);
  }
  const all = (key: string) => values.get(key) ?? [];
  const one = (key: string) => unlessNone(all(key)[0]);
  const hostName = one('hostname') ?? host;
  const user = one('user') ?? userInfo().username;
  const port = Number(one('port') ?? 22);
  const tokens = { host, hostName, user, port };
  const files = (key: string) => all(key).flatMap((value) => unlessNone(value) ?? []);
  const listed = (key: string) => files(key).flatMap((value) => value.split(/\s+/));
  const family = one('addressfamily');
  return {
    hostName,
    port,
    user,
    identityFiles: files('identityfile').map((file) => expandFile(file, tokens)),
    certificateFiles: files('certificatefile').map((file) => expandFile(file, tokens)),
    identitiesOnly: one('identitiesonly') === 'yes',
    agent: agentSocket(all('identityagent')[0], tokens),
    hostKeyAlias: one('hostkeyalias'),
    userKnownHostsFiles: listed('userknownhostsfile').map((file) => expandFile(file, tokens)),
    globalKnownHostsFiles: listed('globalknownhostsfile').map((file) => expandFile(file, tokens)),
    proxyJump: one('proxyjump'),
    proxyCommand: one('proxycommand'),
    addressFamily: family === 'inet' || family === 'inet6' ? family : 'any',
  };
}

/** Replaces a leading `~/`. */
export function expandHome(file: string): string {
  return file === '~' || file.startsWith('~/') ? join(homedir(), file.slice(1)) : file;
}

interface Tokens {
  readonly host: string;
  readonly hostName: string;
  readonly user: string;
  readonly port: number;
}

/** `ssh -G` prints file names as they were written, with `~`, `${NAME}` and percent tokens. */
function expandFile(file: string, tokens: Tokens): string {
  const local = userInfo();
  const name = hostname();
  const percent: Readonly<Record<string, string>> = {
    '%': '%',
    d: homedir(),
    h: tokens.hostName,
    i: String(local.uid),
    L: name.split('.', 1)[0] ?? name,
    l: name,
    n: tokens.host,
    p: String(tokens.port),
    r: tokens.user,
    u: local.username,
    k: tokens.host,
    j: '',
    C: connectionHash(name, tokens),
  };
  return expandHome(
    file
      .replace(/%(.)/g, (whole, letter: string) => percent[letter] ?? whole)
      .replace(/\$\{(\w+)\}/g, (_, variable: string) => process.env[variable] ?? ''),
  );
}

function connectionHash(name: string, { hostName, port, user }: Tokens): string {
  return createHash('sha1').update(`${name}${hostName}${port}${user}`).digest('hex');
}

function agentSocket(value: string | undefined, tokens: Tokens): string | undefined {
  if (value === 'none') return undefined;
  if (value === undefined || value === 'SSH_AUTH_SOCK') return process.env.SSH_AUTH_SOCK || undefined;
  if (value.startsWith('$') && !value.startsWith('${')) return process.env[value.slice(1)] || undefined;
  return expandFile(value, tokens) || undefined;
}

function unlessNone(value: string | undefined): string | undefined {
  return value === undefined || value === 'none' || value === '' ? undefined : value;
}

function plainConfig({ host, port, user }: HostQuery): string {
  return [
    `hostname ${host}`,
    `port ${port ?? 22}`,
    `user ${user ?? userInfo().username}`,
    'identityfile ~/.ssh/id_rsa',
    'identityfile ~/.ssh/id_ecdsa',
    'identityfile ~/.ssh/id_ed25519',
    'userknownhostsfile ~/.ssh/known_hosts ~/.ssh/known_hosts2',
    'globalknownhostsfile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2',
  ].join('\n');
}

/** What `ssh` printed; undefined when there is no such program. */
function runSsh(words: readonly string[], signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    execFile('ssh', words, { timeout: patience, signal, maxBuffer: 1024 * 1024 }, (error, stdout, stderr) => {
      if (!error) resolve(stdout);
      else if (signal.aborted) reject(signal.reason);
      else if (error.code === 'ENOENT') resolve(undefined);
      else reject(refusedConfig(error, stderr));
    });
  });
}

function refusedConfig(error: Error & { killed?: boolean }, stderr: string): WherryError {
  if (error.killed) {
    return new WherryError('timed-out', 'reading the OpenSSH configuration took too long', {
      transient: true,
      hint: 'look at the "Match exec" lines of the OpenSSH configuration',
      cause: error,
    });
  }
  return new InputError(`OpenSSH does not accept its configuration: ${printable(stderr)}`, [], { cause: error });
}
