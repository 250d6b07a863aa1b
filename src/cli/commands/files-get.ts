import path from 'node:path';
import { copyInto, folderName, outgoing, storedFiles } from '../../engine/process-files.js';
import type { Profile } from '../../engine/profile.js';
import { WherryError } from '../../errors.js';
import type { ProcessRow } from '../../store/tables.js';
import { defineCommand, flag, idPositional, json, text } from '../command.js';
import { computerOfFiles, fileRole, whichFiles } from '../file-arguments.js';
import { findProcess } from '../find-process.js';
import { interruption } from '../interruption.js';
import { counted, nameOf } from '../process-text.js';
import { print, printable, printJson } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: { ...idPositional, path: { type: 'string', describe: 'a file or folder; all files when not given' } },
  options: {
    ...whichFiles,
    to: text('folder to write into (default: ./<label or id>)'),
    force: flag('overwrite files that exist'),
    json,
  },
  examples: [
    ['$0 3', 'all results, into a folder here'],
    ['$0 3 out/ --to results', 'one folder of them, into ./results'],
  ],
  run: (given) =>
    withProfile(given, async (profile) => {
      const row = await findProcess(profile.store, given.id);
      const role = fileRole(given);
      const folder = path.resolve(given.to ?? folderName(row));
      const paths =
        role === 'remote'
          ? await getRemote(profile, row, given.path, folder, given.force)
          : await getStored(profile, row, role, given.path, folder, given.force);
      if (given.json) printJson(paths.map((name) => path.join(folder, name)));
      else print(`${counted(paths.length, 'file')} of ${nameOf(row)} in ${printable(folder)}`);
      return 0;
    }),
});

async function getStored(
  { store, repository }: Profile,
  row: ProcessRow,
  role: 'inputs' | 'outputs',
  asked: string | undefined,
  folder: string,
  force: boolean,
): Promise<string[]> {
  const files = await storedFiles(store, row.id, role, asked);
  if (files.length === 0) throw nothing(row, role);
  await copyInto(
    folder,
    files.map((file) => outgoing(repository, file)),
    force,
  );
  return files.map((file) => file.path);
}

async function getRemote(
  profile: Profile,
  row: ProcessRow,
  asked: string | undefined,
  folder: string,
  force: boolean,
): Promise<string[]> {
  const { onComputer } = await import('../../engine/control/on-computer.js');
  const computer = await computerOfFiles(profile.store, row);
  using interrupted = interruption();
  await using temporary = await profile.repository.temporaryDirectory();
  const task = { kind: 'fetch', processId: row.id, path: asked ?? null, target: temporary.path } as const;
  const files = await onComputer(profile, computer, task, interrupted.signal);
  if (files.length === 0) throw nothing(row, asked === undefined ? 'files on the computer' : `file "${asked}" there`);
  const outgoingFiles = files.map((file) => ({
    path: file.path,
    mode: file.mode,
    source: async () => path.join(temporary.path, file.path),
  }));
  await copyInto(folder, outgoingFiles, force);
  return files.map((file) => file.path);
}

function nothing(row: ProcessRow, what: string): WherryError {
  return new WherryError('not-found', `${nameOf(row)} has no ${what}${row.ended_at === null ? ' yet' : ''}`, {
    hint: `see: wherry explain ${row.id}`,
  });
}
