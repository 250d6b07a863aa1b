import { type ErrorDetails, messageOf, WherryError } from '../errors.js';
import type { PostgresAddress } from './postgres-address.js';

/**
 * What the errors of PostgreSQL and of the way to it mean. The server's own errors have a code of five characters
 * (SQLSTATE) and a severity; all others come from the connection.
 */

/** Did the connection break, so that it is not known what became of the statement? */
export function isLost(error: unknown): boolean {
  const code = stateOf(error);
  if (code === undefined) return error instanceof Error && !(error instanceof TypeError);
  return code.startsWith('08') || endings.has(code);
}

/** With these the server ends the session. */
const endings: ReadonlySet<string> = new Set(['57P01', '57P02', '57P03', '57P05', '25P03']);

/** Is it worth while to ask for a connection again in a moment? A server that restarts refuses at first. */
export function mayPass(error: unknown): boolean {
  const code = stateOf(error);
  if (code !== undefined) return code.startsWith('08') || code === '53300' || endings.has(code);
  const name = (error as NodeJS.ErrnoException | undefined)?.code;
  // Without a name: the connection broke, or nobody answered in time.
  return name === undefined ? /terminat|timeout|timed out|not queryable/i.test(messageOf(error)) : waitedFor.has(name);
}

/** ENOENT: the socket of a server on this machine that is not there yet. */
const waitedFor: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
  'ENOENT',
]);

/** What is wrong with the server or the way to it and not with the statement, and can pass. */
const passing: ReadonlySet<string> = new Set([
  ...endings,
  '25006', // read only: it has become a copy of another server
  '25P03', // we were silent in a transaction for too long
  '40001', // serialization
  '40P01', // deadlock
  '53000',
  '53100', // no space
  '53200', // no memory
  '53300', // too many connections
  '55P03', // somebody else held a lock for too long
  '57014', // the statement took too long
  '58000',
  '58030', // input or output failed
]);

/** A statement that failed: `store-failed` for what can pass and is not its own fault; else the error as it is. */
export function failureOf(error: unknown, { text }: PostgresAddress): unknown {
  if (error instanceof WherryError) return error;
  const code = stateOf(error);
  if (code !== undefined && !code.startsWith('08') && !passing.has(code)) return error;
  if (code === undefined && !isLost(error)) return error;
  return new WherryError('store-failed', `the database ${text} cannot be used now: ${reasonOf(error)}`, {
    transient: true,
    hint: 'check that its server runs, can be reached and has space left',
    cause: error,
  });
}

/** Why there is no connection, in one line with what to do. */
export function refusalOf(error: unknown, { text, user, host, port, database }: PostgresAddress): WherryError {
  if (error instanceof WherryError) return error;
  const refused = (message: string, details: ErrorDetails) =>
    new WherryError('store-failed', message, { ...details, cause: error });
  const code = stateOf(error);
  const reason = reasonOf(error);
  if (code === '28P01' || /client password must be/.test(reason)) {
    return refused(
      `the server of the database ${text} refused the login of ${user}: the password is missing or wrong`,
      {
        hint: 'give the right password',
      },
    );
  }
  if (code?.startsWith('28')) {
    return refused(`the server of the database ${text} refused the login of ${user}: ${reason}`, {
      hint: 'check the user in the URL, and what the pg_hba.conf of the server allows',
    });
  }
  if (code === '3D000') {
    return refused(`there is no database "${database}" on ${host}:${port}`, {
      hint: `have it made: createdb --host=${host} --port=${port} --owner=${user} --encoding=UTF8 --template=template0 ${database}`,
    });
  }
  if (code === '42501') {
    return refused(`${user} may not use the database ${text}: ${reason}`, {
      hint: `make ${user} its owner, or give the right to connect to it and to make tables in its schema`,
    });
  }
  if (/does not support SSL/i.test(reason)) {
    return refused(`the server of the database ${text} does not encrypt connections`, {
      hint: 'have it do so, or add ?sslmode=disable to the URL where nobody listens on the way',
    });
  }
  if (/certificate|altname/i.test(reason)) {
    return refused(`the certificate of the server of the database ${text} cannot be trusted: ${reason}`, {
      hint: 'add ?sslmode=verify-full&sslrootcert=FILE with the certificate that signed it to the URL, or ?sslmode=require to trust it as it is',
    });
  }
  return refused(`the server of the database ${text} cannot be reached: ${reason}`, {
    transient: code === undefined || mayPass(error),
    hint: 'check that the server runs and that host and port of the URL are right',
  });
}

/** The server's code of an error, undefined for errors of the connection. */
export function stateOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('severity' in error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** One line. Where several addresses of a host were tried, there is an error for each of them. */
function reasonOf(error: unknown): string {
  const [first] = error instanceof AggregateError ? error.errors : [error];
  return messageOf(first).split('\n')[0] ?? '';
}
