import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { storedFiles } from '../../engine/process-files.js';
import type { Profile } from '../../engine/profile.js';
import { WherryError } from '../../errors.js';
import type { ProcessRow } from '../../store/tables.js';
import { defineCommand, idPositional } from '../command.js';
import { computerOfFiles, fileRole, whichFiles } from '../file-arguments.js';
import { findProcess } from '../find-process.js';
import { interruption } from '../interruption.js';
import { printableLines, printRaw } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: { ...idPositional, path: { type: 'string', demandOption: true, describe: 'the file' } },
  options: whichFiles,
  examples: [
    ['$0 3 stdout.txt', 'what the command printed'],
    ['$0 3 job.log --remote', 'a file of a job that still runs'],
  ],
  run: (given) =>
    withProfile(given, async (profile) => {
      const row = await findProcess(profile.store, given.id);
      const role = fileRole(given);
      if (role === 'remote') {
        await show(await readRemote(profile, row, given.path));
        return 0;
      }
      const files = await storedFiles(profile.store, row.id, role, given.path);
      const [file] = files;
      if (file === undefined || files.length > 1 || file.path !== plain(given.path)) {
        throw new WherryError('bad-input', `"${given.path}" is a folder`, { hint: `see: wherry files ls ${row.id}` });
      }
      await show(await profile.repository.read(file.sha256));
      return 0;
    }),
});

const plain = (path: string) => path.replace(/^(\.\/)+/, '').replace(/\/+$/, '');

/** Bytes as they are; on a terminal without what could command it. */
async function show(content: Buffer): Promise<void> {
  await printRaw(process.stdout.isTTY ? printableLines(content.toString('utf8')) : content);
}

async function readRemote(profile: Profile, row: ProcessRow, asked: string): Promise<Buffer> {
  const { onComputer } = await import('../../engine/control/on-computer.js');
  const path = plain(asked);
  if (path.startsWith('/') || path.split('/').includes('..')) {
    throw new WherryError('bad-input', `"${asked}" leads out of the directory of the process`, {
      hint: 'give a path relative to it',
    });
  }
  const computer = await computerOfFiles(profile.store, row);
  using interrupted = interruption();
  await using temporary = await profile.repository.temporaryDirectory();
  const target = join(temporary.path, 'content');
  await onComputer(profile, computer, { kind: 'read', processId: row.id, path, target }, interrupted.signal);
  return await readFile(target);
}
