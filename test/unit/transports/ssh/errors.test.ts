import { expect, test } from 'vitest';
import {
  authenticationRefused,
  isChannelRefusal,
  lostError,
  openError,
  printable,
} from '../../../../transports/ssh/errors.js';

const made = (message: string, more: object = {}) => Object.assign(new Error(message), more);

test.each([
  [made('connect ECONNREFUSED', { code: 'ECONNREFUSED', level: 'client-socket' }), true, /connection refused/],
  [made('getaddrinfo ENOTFOUND x', { code: 'ENOTFOUND', level: 'client-socket' }), true, /does not exist/],
  [made('getaddrinfo EAI_AGAIN x', { code: 'EAI_AGAIN', level: 'client-socket' }), true, /name server/],
  [made('connect ETIMEDOUT', { code: 'ETIMEDOUT', level: 'client-socket' }), true, /does not answer/],
  [made('Keepalive timeout', { level: 'client-timeout' }), true, /in time/],
  [made('Connection lost before handshake', { level: 'protocol' }), true, /no ssh server/],
  [made('Handshake failed: no matching key exchange algorithm', { level: 'handshake' }), false, /common ground/],
  [made('Handshake failed: signature verification failed', { level: 'handshake' }), true, /common ground/],
  [made('read ECONNRESET', { code: 'ECONNRESET', level: 'client-socket' }), true, /ECONNRESET/],
])('%s', (error, transient, message) => {
  const mapped = openError(error, 'me@host:22');
  expect(mapped).toMatchObject({ code: 'connection-failed', transient, cause: error });
  expect(mapped.message).toMatch(message);
  expect(mapped.message).toContain('me@host:22');
  expect(mapped.hint).toMatch(/^[a-z]\w* .*\w/); // a sentence that says what to do
});

test('an error of ours stays what it is', () => {
  const error = lostError('t');
  expect(openError(error, 't')).toBe(error);
});

test('a refused login lists what was tried and points to the transport that can ask people', () => {
  const facts = { tried: ['key a'], notes: ['b is locked'], accepted: ['keyboard-interactive'] };
  const error = authenticationRefused('me@host:22', facts);
  expect(error).toMatchObject({ code: 'authentication-refused', transient: false });
  expect(error.message).toBe(
    'me@host:22 refused the login; tried: key a; b is locked; the server accepts: keyboard-interactive',
  );
  expect(error.hint).toContain('openssh');
});

test('refused channels are told from other failures', () => {
  expect(isChannelRefusal(made('(SSH) Channel open failure: open failed', { reason: 2 }))).toBe(true);
  expect(isChannelRefusal(made('Not connected'))).toBe(false);
});

test('text of the other side cannot steer a terminal', () => {
  expect(printable('\u001b[2Jhello\u0007\nworld\u009b')).toBe('?[2Jhello?\nworld?');
});
