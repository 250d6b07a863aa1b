import { createHmac } from 'node:crypto';

/** One line of a known_hosts file. */
export interface KnownHost {
  readonly marker: 'revoked' | 'cert-authority' | undefined;
  /** The patterns of the line, with commas, or one hashed name. */
  readonly names: string;
  readonly keyType: string;
  readonly key: Buffer;
  readonly file: string;
  /** 1-based. */
  readonly line: number;
}

/** Reads a known_hosts file. Lines that are no entries are passed over, as OpenSSH does. */
export function parseKnownHosts(text: string, file: string): KnownHost[] {
  return text.split('\n').flatMap((content, index) => {
    const line = content.trim();
    if (line === '' || line.startsWith('#')) return [];
    const words = line.split(/\s+/);
    const marker = words[0]?.startsWith('@') ? words.shift() : undefined;
    if (marker !== undefined && marker !== '@revoked' && marker !== '@cert-authority') return [];
    const [names, keyType, encoded] = words;
    if (names === undefined || keyType === undefined || encoded === undefined) return [];
    const key = Buffer.from(encoded, 'base64');
    if (keyTypeOf(key) !== keyType) return [];
    const kind = marker?.slice(1) as KnownHost['marker'];
    return [{ marker: kind, names, keyType, key, file, line: index + 1 }];
  });
}

/** The name under which OpenSSH stores a host: `[host]:port` unless the port is 22. */
export function knownHostName(host: string, port: number): string {
  const name = host.toLowerCase();
  return port === 22 ? name : `[${name}]:${port}`;
}

/** Is `name` (as `knownHostName` gives it) meant by this entry? */
export function namesHost(entry: KnownHost, name: string): boolean {
  if (entry.names.startsWith('|')) return matchesHash(entry.names, name);
  const patterns = entry.names.split(',');
  const matches = (pattern: string) => wildcard(pattern.toLowerCase()).test(name);
  if (patterns.some((pattern) => pattern.startsWith('!') && matches(pattern.slice(1)))) return false;
  return patterns.some((pattern) => !pattern.startsWith('!') && matches(pattern));
}

/** The type that a key in SSH's wire form says it has. */
export function keyTypeOf(key: Buffer): string | undefined {
  if (key.length < 4) return undefined;
  const length = key.readUInt32BE(0);
  return length > 0 && length <= 64 && key.length >= 4 + length ? key.toString('latin1', 4, 4 + length) : undefined;
}

/** `|1|salt|hash`: the hash is HMAC-SHA1 of the name under the salt. */
function matchesHash(names: string, name: string): boolean {
  const [, version, salt, hash] = names.split('|');
  if (version !== '1' || salt === undefined || hash === undefined) return false;
  return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest().equals(Buffer.from(hash, 'base64'));
}

function wildcard(pattern: string): RegExp {
  const source = [...pattern].map((character) => {
    if (character === '*') return '.*';
    if (character === '?') return '.';
    return character.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${source.join('')}$`, 's');
}
