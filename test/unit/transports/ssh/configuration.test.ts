import { homedir, userInfo } from 'node:os';
import { describe, expect, test } from 'vitest';
import { gotoCommand } from '../../../../transports/ssh/goto.js';
import { parseHostConfig } from '../../../../transports/ssh/open-ssh-config.js';
import { parseJump } from '../../../../transports/ssh/route.js';
import { SshSettings } from '../../../../transports/ssh/settings.js';

describe('what ssh -G prints', () => {
  test('is read', () => {
    const text = [
      'user me',
      'hostname login.example.org',
      'port 2222',
      'addressfamily inet',
      'identitiesonly yes',
      'hostkeyalias cluster',
      'identityfile ~/.ssh/id_ed25519',
      'identityfile /keys/%r@%h:%p/%n with blank',
      'certificatefile ~/.ssh/id-cert.pub',
      'userknownhostsfile ~/.ssh/known_hosts /other/%k',
      'globalknownhostsfile /etc/ssh/ssh_known_hosts',
      'proxyjump a,b',
      'identityagent /run/%u/agent',
      'proxycommand none',
    ].join('\n');
    expect(parseHostConfig(text, 'alias')).toEqual({
      hostName: 'login.example.org',
      port: 2222,
      user: 'me',
      addressFamily: 'inet',
      identitiesOnly: true,
      hostKeyAlias: 'cluster',
      identityFiles: [`${homedir()}/.ssh/id_ed25519`, '/keys/me@login.example.org:2222/alias with blank'],
      certificateFiles: [`${homedir()}/.ssh/id-cert.pub`],
      userKnownHostsFiles: [`${homedir()}/.ssh/known_hosts`, '/other/alias'],
      globalKnownHostsFiles: ['/etc/ssh/ssh_known_hosts'],
      proxyJump: 'a,b',
      proxyCommand: undefined,
      agent: `/run/${userInfo().username}/agent`,
    });
  });

  test('may be next to nothing', () => {
    expect(parseHostConfig('identityagent none\n', 'host')).toMatchObject({
      hostName: 'host',
      port: 22,
      user: userInfo().username,
      identityFiles: [],
      agent: undefined,
      proxyJump: undefined,
    });
  });
});

test.each([
  ['host', { host: 'host' }],
  ['me@host', { host: 'host', user: 'me' }],
  ['me@host:22', { host: 'host', user: 'me', port: 22 }],
  ['me@realm@host', { host: 'host', user: 'me@realm' }],
  ['[::1]:2222', { host: '::1', port: 2222 }],
  ['ssh://me@host:22/', { host: 'host', user: 'me', port: 22 }],
])('the jump %s', (text, expected) => {
  expect(parseJump(text)).toEqual(expected);
});

test.each(['-oProxyCommand=id', 'me@-x', '', 'a:b:c'])('no jump: %s', (text) => {
  expect(() => parseJump(text)).toThrow(/no jump host/);
});

test('the line that opens a shell quotes every word', () => {
  const settings = SshSettings.parse({
    host: 'cluster',
    identityFile: '/my keys/id',
    port: 2222,
    user: 'me',
    agent: 'none',
  });
  expect(gotoCommand(settings, "/scratch/it's")).toBe(
    `ssh -t -p 2222 -l me -i '/my keys/id' -o IdentityAgent=none -- cluster 'exec /bin/sh -c '\\''cd -- "$0" && exec "\${SHELL:-/bin/sh}" -l'\\'' '\\''/scratch/it'\\''\\'\\'''\\''s'\\'''`,
  );
  expect(() => gotoCommand(settings, 'relative')).toThrow();
});
