import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type ComputerConfig, computerSchema } from '../../config/computer.js';
import { readComputerFile, writeComputer } from '../../config/computer-file.js';
import { validate } from '../../config/validate.js';
import { changeComputer, getComputer } from '../../engine/computers.js';
import { WherryError } from '../../errors.js';
import { defineCommand } from '../command.js';
import { anyComputerOption, checkNewComputer, computerOf, computerOptions } from '../computer-arguments.js';
import { usageError } from '../errors.js';
import { canAsk } from '../prompts.js';
import { printable, say } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: { label: { type: 'string', demandOption: true, describe: 'the computer' } },
  options: computerOptions,
  examples: [
    ['$0 daint --limit maxQueued=50', 'change one limit'],
    ['$0 daint --connection proxyJump=', 'remove a setting'],
    ['$0 daint', 'edit it as YAML in $EDITOR'],
  ],
  run: (given) =>
    withProfile(given, async ({ store }) => {
      const row = await getComputer(store, given.label);
      const stored = JSON.parse(row.config) as ComputerConfig;
      const config = anyComputerOption(given) ? await byOptions(given, stored) : await byEditor(stored);
      if (JSON.stringify(config) === JSON.stringify(stored)) {
        say('nothing was changed');
        return 0;
      }
      await changeComputer(store, row, config);
      say(`${row.label} is changed; try it with: wherry computer test ${row.label}`);
      return 0;
    }),
});

async function byOptions(given: Parameters<typeof computerOf>[0], stored: ComputerConfig): Promise<ComputerConfig> {
  // The written form is what a person would have written: intervals in seconds, not in milliseconds.
  const { parse } = await import('yaml');
  const written = parse(writeComputer(stored)) as Record<string, unknown>;
  const config = validate(computerOf(given, written), computerSchema, { source: '' });
  await checkNewComputer(config);
  return config;
}

async function byEditor(stored: ComputerConfig): Promise<ComputerConfig> {
  if (!canAsk()) throw usageError('nothing to change was given', 'give options, see: wherry computer edit --help');
  const folder = await mkdtemp(path.join(tmpdir(), 'wherry-edit-'));
  const file = path.join(folder, `${stored.label}.yaml`);
  await writeFile(file, writeComputer(stored), { mode: 0o600 });
  await edit(file);
  try {
    const { config, origin } = await readComputerFile(file);
    await checkNewComputer(config, origin);
    await rm(folder, { recursive: true });
    return config;
  } catch (error) {
    say(`nothing was changed; your text is kept in ${printable(file)}`);
    throw error;
  }
}

/** The editor may be several words, so that a shell has to read them; the file is passed beside them. */
async function edit(file: string): Promise<void> {
  const editor = process.env.VISUAL || process.env.EDITOR || 'vi';
  const child = spawn('/bin/sh', ['-c', `${editor} "$1"`, 'sh', file], { stdio: 'inherit' });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code === 0) return;
  throw new WherryError('aborted', `the editor ended with ${code === null ? 'a signal' : `exit code ${code}`}`, {
    hint: `nothing was changed; your text is kept in ${file}`,
  });
}
