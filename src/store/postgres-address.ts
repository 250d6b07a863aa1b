import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import type { ConnectionOptions } from 'node:tls';
import { InputError, messageOf } from '../errors.js';

/** Where a PostgreSQL database is and how its server is spoken to. */
export interface PostgresAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly ssl: false | ConnectionOptions;
  /** For messages: without a password, for there is none in it. */
  readonly text: string;
}

/**
 * Reads `postgres://user@host:port/database`. A host that begins with a slash (written %2F) is the folder of a socket.
 * Options: `?sslmode=disable`, `require` (encrypted, whoever it is) or `verify-full` (encrypted, and it is that host),
 * and `sslrootcert=FILE`. Without one, only a server on this machine may go without encryption.
 * Errors: `bad-input`; what is wrong is told without the text, in which there may be a password.
 */
export function postgresAddress(url: string): PostgresAddress {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw wrong('the address of the database is no URL');
  }
  if (!['postgres:', 'postgresql:'].includes(parsed.protocol)) {
    throw wrong('the address of a PostgreSQL database begins with postgres://');
  }
  if (parsed.password !== '') {
    throw new InputError('the address of the database has a password in it, where everybody could read it', [], {
      hint: 'leave it out of the URL',
    });
  }
  const host = decoded(parsed.hostname).replace(/^\[(.+)\]$/, '$1');
  const database = decoded(parsed.pathname.slice(1));
  if (host === '') throw wrong('the address of the database names no host');
  if (database === '' || database.includes('/')) throw wrong('the address of the database names no database');
  const port = parsed.port === '' ? 5432 : Number(parsed.port);
  const user = decoded(parsed.username) || userInfo().username;
  const shown = host.includes(':') ? `[${host}]` : host;
  const text = `${database} on ${host.startsWith('/') ? host : `${shown}:${port}`}`;
  return { host, port, user, database, ssl: encryption(parsed.searchParams, host), text };
}

function wrong(message: string): InputError {
  return new InputError(message, [], { hint: 'write it like postgres://user@host:5432/database' });
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw wrong('the address of the database has a broken %-sign in it');
  }
}

function encryption(options: URLSearchParams, host: string): false | ConnectionOptions {
  for (const name of options.keys()) {
    if (!['sslmode', 'sslrootcert'].includes(name)) {
      throw new InputError(`the address of a database has no option "${name}"`, [], {
        hint: 'there are: sslmode, sslrootcert',
      });
    }
  }
  const isLocal = host.startsWith('/') || host === 'localhost' || host === '::1' || /^127(\.\d+){3}$/.test(host);
  const mode = options.get('sslmode') ?? (isLocal ? 'disable' : 'verify-full');
  if (mode === 'disable') return false;
  if (mode === 'require') return { rejectUnauthorized: false };
  if (mode !== 'verify-full') {
    throw new InputError(`"${mode}" is no sslmode that Wherry knows`, [], {
      hint: 'there are: disable, require, verify-full',
    });
  }
  const certificate = options.get('sslrootcert');
  // Named, so that the certificate is compared with an address that is no name as well.
  if (certificate === null) return { host };
  try {
    return { host, ca: readFileSync(certificate, 'utf8') };
  } catch (error) {
    throw new InputError(`the certificate ${certificate} cannot be read: ${messageOf(error)}`, [], {
      hint: 'name a file with the certificates in PEM form',
      cause: error,
    });
  }
}
