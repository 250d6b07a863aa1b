import { homedir } from 'node:os';
import { join } from 'node:path';
import type { ProfileLocation } from '../config/home.js';
import { daemonWords } from './launch.js';
import { stopRest, stopTimeout } from './stop-timeout.js';

/** A unit of the user's systemd. */
export interface UnitFile {
  readonly name: string;
  readonly path: string;
  readonly text: string;
}

/**
 * The unit that runs the daemon of a profile in the foreground. Writes nothing.
 * @param timeout milliseconds that workers have to end when the daemon is stopped
 */
export function unitFile(
  location: ProfileLocation,
  workers: number,
  environment: NodeJS.ProcessEnv,
  timeout = stopTimeout,
): UnitFile {
  const name = `wherry-${location.profile}.service`;
  const userHome = environment.HOME || homedir();
  // Transports run programs such as ProxyCommand, which are looked for in the PATH that the user has.
  const path = environment.PATH === undefined ? [] : [`Environment=${quoted(`PATH=${environment.PATH}`)}`];
  const lines = [
    '[Unit]',
    `Description=Wherry daemon, profile ${location.profile}`,
    'After=network-online.target',
    '',
    '[Service]',
    ...path,
    `ExecStart=${daemonWords(location, workers).map(quotedWord).join(' ')}`,
    '# All workers are replaced, one after another.',
    'ExecReload=/bin/kill -HUP $MAINPID',
    'Restart=on-failure',
    'RestartSec=10',
    '# The supervisor drains its workers; whatever is left after that is killed.',
    'KillMode=mixed',
    `TimeoutStopSec=${Math.ceil((timeout + stopRest.patience) / 1_000)}`,
    '',
    '[Install]',
    'WantedBy=default.target',
    '',
  ];
  const configuration = environment.XDG_CONFIG_HOME || join(userHome, '.config');
  return { name, path: join(configuration, 'systemd', 'user', name), text: lines.join('\n') };
}

/** Quoted for any setting: backslash, quotes and specifiers (`%h`) mean themselves. */
function quoted(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&').replaceAll('%', '%%').replaceAll('\n', '\\n')}"`;
}

/** Quoted for a command line, where `$` stands for variables. */
function quotedWord(text: string): string {
  const word = quoted(text.replaceAll('$', () => '$$'));
  return /^"[\w@%+=:,./-]+"$/.test(word) ? word.slice(1, -1) : word;
}
