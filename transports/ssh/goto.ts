import { commandLine, InputError } from '../../src/plugin.js';
import { quoteForAnyShell } from './command-text.js';
import { listOf, type SshSettings } from './settings.js';

/** An `ssh -t` line that opens a shell in `directory`. */
export function gotoCommand(settings: SshSettings, directory: string): string {
  if (!directory.startsWith('/') || directory.includes('\n')) {
    throw new InputError(`"${directory}" is no absolute directory that a shell line can name`);
  }
  const option = (flag: string, value: string | number | undefined) =>
    value === undefined ? [] : [flag, String(value)];
  const settle = (name: string, value: string | undefined) => (value === undefined ? [] : ['-o', `${name}=${value}`]);
  const knownHosts = listOf(settings.knownHostsFile)?.map(configWord).join(' ');
  const start = `cd -- "$0" && exec "\${SHELL:-/bin/sh}" -l`;
  const remote = ['exec', '/bin/sh', '-c', start, directory].map(quoteForAnyShell).join(' ');
  return commandLine([
    'ssh',
    '-t',
    ...option('-F', settings.configFile),
    ...option('-p', settings.port),
    ...option('-l', settings.user),
    ...(listOf(settings.identityFile) ?? []).flatMap((file) => ['-i', file]),
    ...(listOf(settings.certificateFile) ?? []).flatMap((file) => settle('CertificateFile', configWord(file))),
    ...option('-J', settings.proxyJump),
    ...settle('UserKnownHostsFile', knownHosts),
    ...settle('IdentityAgent', settings.agent === undefined ? undefined : configWord(settings.agent)),
    ...settle('IdentitiesOnly', settings.identitiesOnly ? 'yes' : undefined),
    '--',
    settings.host,
    remote,
  ]);
}

/** A value of an OpenSSH option, which splits at blanks. */
function configWord(text: string): string {
  return /\s/.test(text) ? `"${text}"` : text;
}
