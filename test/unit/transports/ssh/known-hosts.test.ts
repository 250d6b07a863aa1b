import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { keyTypeOf, knownHostName, namesHost, parseKnownHosts } from '../../../../transports/ssh/known-hosts.js';

const key = 'AAAAC3NzaC1lZDI1NTE5AAAAIHz7vvUHHMBBBKqn2NuXV6Zl0c7nc7sO0AqvqvvGv4H5';
const only = (text: string) => {
  const [entry] = parseKnownHosts(text, 'file');
  if (entry === undefined) throw new Error('no entry');
  return entry;
};
const matches = (names: string, host: string, port = 22) =>
  namesHost(only(`${names} ssh-ed25519 ${key}`), knownHostName(host, port));

test('entries are read with their place; comments and broken lines are passed over', () => {
  const text = `# comment\n\n  a,b ssh-ed25519 ${key} comment with blanks\r\nbroken\nc ssh-rsa ${key}\n@other d ssh-ed25519 ${key}\n@revoked\te ssh-ed25519 ${key}`;
  expect(parseKnownHosts(text, 'f')).toMatchObject([
    { names: 'a,b', keyType: 'ssh-ed25519', marker: undefined, file: 'f', line: 3 },
    { names: 'e', marker: 'revoked', line: 7 },
  ]);
});

test.each([
  ['host.example', 'host.example', 22, true],
  ['HOST.example', 'Host.Example', 22, true],
  ['host.example', 'host.example', 2222, false],
  ['[host.example]:2222', 'host.example', 2222, true],
  ['[host.example]:2222', 'host.example', 22, false],
  ['*.example', 'a.b.example', 22, true],
  ['*.example', 'example', 22, false],
  ['login?', 'login7', 22, true],
  ['login?', 'login', 22, false],
  ['*.example,!bad.example', 'bad.example', 22, false],
  ['!bad.example,*.example', 'good.example', 22, true],
  ['!bad.example', 'good.example', 22, false],
  ['a.b', 'aXb', 22, false],
  ['[::1]:22', '::1', 22, false],
  ['::1', '::1', 22, true],
])('%s for %s port %i: %s', (names, host, port, expected) => {
  expect(matches(names, host, port)).toBe(expected);
});

test('hashed names', () => {
  const salt = Buffer.from('twenty bytes of salt');
  const hash = createHmac('sha1', salt).update('[host]:2222').digest('base64');
  const names = `|1|${salt.toString('base64')}|${hash}`;
  expect(matches(names, 'host', 2222)).toBe(true);
  expect(matches(names, 'host', 22)).toBe(false);
  expect(matches('|2|a|b', 'host')).toBe(false);
  expect(matches('|1|', 'host')).toBe(false);
});

test('the type of a key is read from the key', () => {
  expect(keyTypeOf(Buffer.from(key, 'base64'))).toBe('ssh-ed25519');
  expect(keyTypeOf(Buffer.alloc(2))).toBeUndefined();
  expect(keyTypeOf(Buffer.from([255, 255, 255, 255, 1]))).toBeUndefined();
});
