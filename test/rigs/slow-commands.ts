import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { quote } from '../../src/plugin/shell.js';

export interface SlowCommands {
  /** Put before the PATH of the sessions. */
  readonly directory: string;
  /** The next calls of this command do their work, say so, and keep their reply back for a while. */
  hold(command: string): Promise<void>;
  /** Has a held command done its work? */
  held(command: string): Promise<boolean>;
  /** The calls of this command, those to come as well, do not go on before they are released. */
  hang(command: string): Promise<void>;
  /** How many calls hung at least for a moment. */
  hung(command: string): Promise<number>;
  /** Calls go on, and later ones are ordinary again. */
  release(command: string): Promise<void>;
}

/**
 * Stands before real commands on the PATH: a held one does its work and then keeps its reply, so that a test can break
 * things between the deed and the answer; one that hangs does not even begin.
 */
export async function slowCommands(base: string, commands: readonly string[], realPath: string): Promise<SlowCommands> {
  const directory = path.join(base, 'slow-commands');
  await mkdir(directory, { recursive: true });
  const file = (command: string, what: string) => path.join(directory, `${command}.${what}`);
  for (const command of commands) {
    const script = [
      '#!/bin/sh',
      `PATH=${quote(realPath)}`,
      `if [ -e ${quote(file(command, 'hang'))} ]; then echo >> ${quote(file(command, 'hung'))}; fi`,
      `while [ -e ${quote(file(command, 'hang'))} ]; do sleep 0.1; done`,
      `reply=$(${quote(command)} "$@"); code=$?`,
      `if [ -e ${quote(file(command, 'hold'))} ]; then : > ${quote(file(command, 'held'))}; sleep 3; fi`,
      `[ -z "$reply" ] || printf '%s\\n' "$reply"`,
      'exit $code',
    ];
    await writeFile(path.join(directory, command), `${script.join('\n')}\n`);
    await chmod(path.join(directory, command), 0o755);
  }
  await chmod(base, 0o755);
  await chmod(directory, 0o777);
  const exists = (name: string) =>
    stat(name).then(
      () => true,
      () => false,
    );
  return {
    directory,
    async hold(command) {
      await rm(file(command, 'held'), { force: true });
      await writeFile(file(command, 'hold'), '');
    },
    held: (command) => exists(file(command, 'held')),
    hang: (command) => writeFile(file(command, 'hang'), ''),
    async hung(command) {
      return (await exists(file(command, 'hung'))) ? (await readFile(file(command, 'hung'))).length : 0;
    },
    async release(command) {
      for (const what of ['hold', 'hang']) await rm(file(command, what), { force: true });
    },
  };
}
