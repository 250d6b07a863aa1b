import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { messageOf, quote, WherryError } from '../../src/plugin.js';
import { type KnownHost, keyTypeOf, knownHostName, namesHost, parseKnownHosts } from './known-hosts.js';

/** The host whose key is to be checked, and where known keys are. */
export interface HostIdentity {
  /** Name or alias to look for. */
  readonly name: string;
  readonly port: number;
  /** Address and port for `ssh-keyscan`. */
  readonly hostName: string;
  readonly userFiles: readonly string[];
  readonly globalFiles: readonly string[];
  /** Is `name` a HostKeyAlias, to which OpenSSH adds no port? */
  readonly isAlias: boolean;
  /** Is the host reached through others, so that a scan from here would not reach it? */
  readonly behindJump: boolean;
}

/** Which key types to ask the server for, and what to say of the key it shows. */
export interface HostKeyCheck {
  /** Signature algorithms, those of known keys first; for `algorithms.serverHostKey` of ssh2. */
  readonly algorithms: readonly string[];
  /** Undefined when the key is the known one, else the error. */
  check(key: Buffer): WherryError | undefined;
}

const algorithmsOfType: Readonly<Record<string, readonly string[]>> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa'],
};

/** Reads the known_hosts files and prepares the check of one host. A file that does not exist is an empty one. */
export async function hostKeyCheck(identity: HostIdentity): Promise<HostKeyCheck> {
  const files = [...identity.userFiles, ...identity.globalFiles];
  const entries = (await Promise.all(files.map(readEntries))).flat();
  const name = identity.isAlias ? identity.name.toLowerCase() : knownHostName(identity.name, identity.port);
  const named = entries.filter((entry) => namesHost(entry, name));
  const keys = named.filter((entry) => entry.marker === undefined);
  // As OpenSSH does: a key known for the host on port 22 is good on other ports, but none to compare against.
  const plain = entries.filter((entry) => entry.marker === undefined && namesHost(entry, identity.name.toLowerCase()));
  const known = (keys.length > 0 ? keys : plain).flatMap((entry) => algorithmsOfType[entry.keyType] ?? []);
  return {
    algorithms: [...new Set([...known, ...Object.values(algorithmsOfType).flat()])],
    check(key) {
      const is = (entry: KnownHost) => entry.key.length === key.length && timingSafeEqual(entry.key, key);
      const revoked = named.find((entry) => entry.marker === 'revoked' && is(entry));
      if (revoked) return changed(name, key, `it is marked @revoked in ${place(revoked)}`, revoked);
      if (keys.some(is)) return undefined;
      const other = keys.find((entry) => entry.keyType === keyTypeOf(key)) ?? keys[0];
      if (other) return changed(name, key, `${place(other)} has ${fingerprint(other.key)}`, other);
      if (plain.some(is)) return undefined;
      return unknown(
        identity,
        name,
        key,
        named.find((entry) => entry.marker === 'cert-authority'),
      );
    },
  };
}

/** `SHA256:…`, as OpenSSH shows keys. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

async function readEntries(file: string): Promise<KnownHost[]> {
  try {
    return parseKnownHosts(await readFile(file, 'utf8'), file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw new WherryError('permission-denied', `${file} cannot be read: ${messageOf(error)}`, {
      hint: 'this file holds the host keys to trust; make it readable or name another one as knownHostsFile',
      cause: error,
    });
  }
}

function unknown(identity: HostIdentity, name: string, key: Buffer, authority: KnownHost | undefined): WherryError {
  const file = identity.userFiles[0] ?? '~/.ssh/known_hosts';
  const note = authority
    ? ` (${place(authority)} trusts certificates of an authority, which this transport cannot check: add the key itself)`
    : '';
  const message = `the host key of ${name} is not known: ${keyTypeOf(key)} ${fingerprint(key)}${note}`;
  const scan = `ssh-keyscan -p ${identity.port} ${quote(identity.hostName)} >> ${quote(file)}`;
  const byHand = identity.isAlias || identity.behindJump;
  return new WherryError('host-key-unknown', message, {
    hint: byHand
      ? `compare the fingerprint with what the site publishes, then run: echo ${quote(`${name} ${keyTypeOf(key)} ${key.toString('base64')}`)} >> ${quote(file)}`
      : `compare the fingerprint with what the site publishes, then run: ${scan}`,
  });
}

function changed(name: string, key: Buffer, known: string, entry: KnownHost): WherryError {
  const message = `the host key of ${name} is not the known one: the server shows ${keyTypeOf(key)} ${fingerprint(key)}, but ${known}`;
  const ask = 'somebody may be listening in; ask the site whether it changed its key';
  return new WherryError('host-key-changed', message, {
    hint:
      entry.marker === 'revoked'
        ? 'do not connect, and ask the site: this key was withdrawn'
        : `${ask}, and only then run: ssh-keygen -R ${quote(name)} -f ${quote(entry.file)}; the next connection tells how to accept the new one`,
  });
}

function place(entry: KnownHost): string {
  return `${entry.file}, line ${entry.line}`;
}
