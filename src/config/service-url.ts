import { type ErrorCode, WherryError } from '../errors.js';
import { visible } from './issues.js';

/** A service that a profile may use, as its URL names it. */
export interface Service {
  /** For messages: `the store`. */
  readonly name: string;
  /** Schemes that are understood, e.g. `postgres`. */
  readonly schemes: readonly string[];
  /** What a URL looks like. */
  readonly example: string;
  /** Of the error when it cannot be used. */
  readonly code: ErrorCode;
  /** Must the path say something, such as the name of a database? */
  readonly needsPath: boolean;
}

export const services = {
  store: {
    name: 'the store',
    schemes: ['postgres', 'postgresql'],
    example: 'postgres://user@host:5432/database',
    code: 'store-failed',
    needsPath: true,
  },
  broker: {
    name: 'the broker',
    schemes: ['amqp', 'amqps'],
    example: 'amqp://user@host:5672/vhost',
    code: 'broker-unavailable',
    needsPath: false,
  },
} as const satisfies Record<string, Service>;

export interface ServiceUrl {
  /** Without its password, so that it may be stored and shown. */
  readonly url: string;
  readonly password: string | undefined;
}

/** Takes the URL of a service apart. The error says what is wrong with it, and never shows a password. */
export function parseServiceUrl(text: string, { name, schemes, example, code, needsPath }: Service): ServiceUrl {
  const wrong = (why: string) =>
    new WherryError(code, `the URL of ${name} ${why}: ${visible(withoutPassword(text))}`, {
      hint: `it looks like ${example}`,
    });
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw wrong('cannot be read');
  }
  if (!schemes.includes(url.protocol.slice(0, -1))) throw wrong(`must begin with ${schemes[0]}://`);
  if (url.hostname === '') throw wrong('names no host');
  if (url.hash !== '') throw wrong('must not have a part behind #');
  if (url.searchParams.has('password')) throw wrong('must not have the password among its options');
  if (needsPath && url.pathname.length < 2) throw wrong('names no database');
  let password: string | undefined;
  try {
    password = url.password === '' ? undefined : decodeURIComponent(url.password);
  } catch {
    throw wrong('has a password that is not percent-encoded');
  }
  url.password = '';
  return { url: url.href, password };
}

/** The text without what stands between `user:` and `@`, also where it is no URL. */
function withoutPassword(text: string): string {
  return text.replace(/(:\/\/[^/@:]*):.*@/, '$1:…@').replace(/(password=)[^&#]*/gi, '$1…');
}
