import { readFileSync } from 'node:fs';
import type { Options } from 'amqplib';
import { messageOf, WherryError } from '../../errors.js';

/** Where a broker is and how to log in, as amqplib takes it. */
export interface BrokerAddress {
  readonly connect: Options.Connect;
  readonly tls: Readonly<Record<string, Buffer | boolean | string>>;
  /** For messages: without the password. */
  readonly shown: string;
}

const example = 'amqp://user@host:5672/vhost';

/**
 * Reads `amqp://user:password@host:port/vhost`, or `amqps:` with the parameters that RabbitMQ's clients have in common:
 * `cacertfile`, `certfile`, `keyfile`, `verify` (`verify_peer`, `verify_none`) and `server_name_indication`.
 *
 * @param password instead of the one in the URL, which everybody can see in a list of processes
 * Errors: `bad-input`, without the password in any text.
 */
export function readBrokerUrl(text: string, password?: string): BrokerAddress {
  const url = parse(text);
  const secure = url.protocol === 'amqps:';
  const port = url.port === '' ? (secure ? 5671 : 5672) : Number(url.port);
  const hostname = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const anonymous = url.username === '' && url.password === '' && password === undefined;
  const username = anonymous ? 'guest' : decode(url.username, 'user');
  const secret = password ?? (anonymous ? 'guest' : decode(url.password, 'password'));
  // amqplib decodes the virtual host by itself.
  const vhost = url.pathname.slice(1) || '/';
  if (vhost.slice(1).includes('/')) throw refused('the virtual host must be one part; write %2F for a / in it');
  const virtualHost = decode(vhost, 'virtual host');
  return {
    connect: { protocol: secure ? 'amqps' : 'amqp', hostname, port, username, password: secret, vhost },
    tls: readParameters(url.searchParams, secure),
    shown: `${url.protocol}//${username}@${url.hostname}:${port}/${virtualHost === '/' ? '' : virtualHost}`,
  };
}

function parse(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    // The text may hold a password and is not shown.
    throw refused('the address of the broker is no URL');
  }
  if (url.protocol !== 'amqp:' && url.protocol !== 'amqps:') {
    throw refused(`the address of a broker begins with amqp:// or amqps://, not with ${url.protocol}`);
  }
  if (url.hostname === '') throw refused('the address of the broker names no host');
  if (url.hash !== '') throw refused('the address of the broker has a #; write %23 for one in a password');
  return url;
}

function readParameters(parameters: URLSearchParams, secure: boolean): BrokerAddress['tls'] {
  const tls: Record<string, Buffer | boolean | string> = {};
  for (const [name, value] of parameters) {
    if (!secure) throw refused(`the parameter ${name} of the broker's address needs amqps:`);
    if (name === 'cacertfile') tls.ca = readCertificate(name, value);
    else if (name === 'certfile') tls.cert = readCertificate(name, value);
    else if (name === 'keyfile') tls.key = readCertificate(name, value);
    else if (name === 'server_name_indication') tls.servername = value;
    else if (name === 'verify' && value === 'verify_peer') tls.rejectUnauthorized = true;
    else if (name === 'verify' && value === 'verify_none') tls.rejectUnauthorized = false;
    else if (name === 'verify') throw refused('verify is verify_peer or verify_none');
    else throw refused(`the broker's address has an unknown parameter: ${name}`, parameterHint);
  }
  return tls;
}

const parameterHint = 'there are cacertfile, certfile, keyfile, verify and server_name_indication';

function readCertificate(name: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw refused(`the ${name} of the broker's address cannot be read: ${messageOf(error)}`, 'give an absolute path');
  }
}

function decode(text: string, what: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refused(`the ${what} in the broker's address has a % that stands for nothing; write %25`);
  }
}

function refused(message: string, hint = `it looks like this: ${example}`): WherryError {
  return new WherryError('bad-input', message, { hint });
}
