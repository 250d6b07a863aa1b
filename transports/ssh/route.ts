import { readFile } from 'node:fs/promises';
import { InputError, messageOf } from '../../src/plugin.js';
import type { Login } from './authentication.js';
import type { HostIdentity } from './host-key.js';
import { expandHome, type HostConfig, hostConfig } from './open-ssh-config.js';
import { listOf, type SshSettings } from './settings.js';

/** One ssh server on the way; the last one is the computer. */
export interface Hop {
  /** `user@host:port`, for messages. */
  readonly target: string;
  readonly hostName: string;
  readonly port: number;
  readonly addressFamily: HostConfig['addressFamily'];
  readonly login: Login;
  readonly identity: HostIdentity;
}

/** What is known of a hop before OpenSSH's configuration was asked. */
interface Stop {
  readonly host: string;
  readonly port?: number | undefined;
  readonly user?: string | undefined;
  /** The hops before it, when they are given; else its own configuration says. */
  readonly jumps?: readonly string[] | undefined;
  readonly isTarget: boolean;
}

const mostHops = 8;

/** The servers to go through, first to last, each as OpenSSH's configuration and the settings say. */
export async function routeTo(settings: SshSettings, signal: AbortSignal): Promise<Hop[]> {
  const passphrase = await readPassphrase(settings);
  const { host, port, user, proxyJump } = settings;
  const hops: Hop[] = [];
  let next: Stop | undefined = { host, port, user, jumps: jumpList(proxyJump), isTarget: true };
  while (next) {
    if (hops.length >= mostHops) throw new InputError(`the proxyJump of ${host} goes round in circles`);
    const stop: Stop = next;
    const config = await hostConfig({ ...stop, configFile: settings.configFile }, signal);
    const jumps: readonly string[] = stop.jumps ?? jumpList(config.proxyJump) ?? [];
    if (stop.jumps === undefined && jumps.length === 0 && config.proxyCommand !== undefined) throw noProxyCommand(stop);
    hops.unshift(makeHop(stop, config, settings, passphrase, jumps.length > 0));
    const last: string | undefined = jumps.at(-1);
    const before = jumps.slice(0, -1);
    // As OpenSSH does: the first of a list may have jumps of its own, the others are reached by those before them.
    next =
      last === undefined
        ? undefined
        : { ...parseJump(last), jumps: before.length > 0 ? before : undefined, isTarget: false };
  }
  return hops;
}

/** Reads one `[user@]host[:port]` or `ssh://[user@]host[:port]`. */
export function parseJump(text: string): { host: string; port?: number; user?: string } {
  const match = /^(?:ssh:\/\/)?(?:(.+)@)?(?:\[([^\]]+)\]|([^@:[\]]+))(?::(\d+))?\/?$/.exec(text);
  const [, user, bracketed, plain, port] = match ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || host.startsWith('-') || user?.startsWith('-')) {
    throw new InputError(`"${text}" is no jump host`, [], { hint: 'write [user@]host[:port], several with commas' });
  }
  return { host, ...(user === undefined ? {} : { user }), ...(port === undefined ? {} : { port: Number(port) }) };
}

function jumpList(text: string | undefined): readonly string[] | undefined {
  if (text === undefined) return undefined;
  return text === 'none' ? [] : text.split(',').filter((jump) => jump !== '');
}

function makeHop(
  stop: Stop,
  config: HostConfig,
  settings: SshSettings,
  passphrase: string | undefined,
  behindJump: boolean,
): Hop {
  const port = stop.port ?? config.port;
  const user = stop.user ?? config.user;
  const target = `${user}@${config.hostName}:${port}`;
  const namedFiles = named(settings.identityFile) ?? [];
  const namedKnownHosts = named(settings.knownHostsFile) ?? [];
  // For the hosts on the way the computer's settings add to the configuration, for the computer they replace it.
  const chosen = (files: readonly string[], configured: readonly string[]) => {
    if (files.length === 0) return configured;
    return stop.isTarget ? files : [...new Set([...configured, ...files])];
  };
  return {
    target,
    hostName: config.hostName,
    port,
    addressFamily: config.addressFamily,
    login: {
      target,
      user,
      identityFiles: chosen(namedFiles, config.identityFiles),
      namedFiles,
      identitiesOnly: settings.identitiesOnly ?? config.identitiesOnly,
      agent: agentOf(settings, config),
      passphrase,
      certificateFiles: stop.isTarget
        ? (named(settings.certificateFile) ?? config.certificateFiles)
        : config.certificateFiles,
    },
    identity: {
      name: config.hostKeyAlias ?? config.hostName,
      isAlias: config.hostKeyAlias !== undefined,
      hostName: config.hostName,
      port,
      userFiles: chosen(namedKnownHosts, config.userKnownHostsFiles),
      globalFiles: config.globalKnownHostsFiles,
      behindJump,
    },
  };
}

function named(value: string | readonly string[] | undefined): readonly string[] | undefined {
  return listOf(value)?.map(expandHome);
}

function agentOf(settings: SshSettings, config: HostConfig): string | undefined {
  if (settings.agent === undefined) return config.agent;
  return settings.agent === 'none' ? undefined : expandHome(settings.agent);
}

async function readPassphrase(settings: SshSettings): Promise<string | undefined> {
  const { passphraseFile, passphraseEnvironment } = settings;
  if (passphraseFile !== undefined) {
    try {
      return (await readFile(expandHome(passphraseFile), 'utf8')).split(/\r?\n/, 1)[0];
    } catch (error) {
      throw new InputError(`passphraseFile cannot be read: ${messageOf(error)}`, [], { cause: error });
    }
  }
  if (passphraseEnvironment === undefined) return undefined;
  const value = process.env[passphraseEnvironment];
  if (value === undefined || value === '') {
    throw new InputError(`passphraseEnvironment names ${passphraseEnvironment}, which is not set`);
  }
  return value;
}

function noProxyCommand(stop: Stop): InputError {
  return new InputError(`the OpenSSH configuration reaches ${stop.host} by a ProxyCommand`, [], {
    hint: 'use ProxyJump in its place, or "transport: openssh"',
  });
}
