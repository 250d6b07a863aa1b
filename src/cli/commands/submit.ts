import { hurryDrivers } from '../../engine/control/hurry.js';
import { driverOf } from '../../engine/driver-of.js';
import type { Profile } from '../../engine/profile.js';
import type { ProcessRow } from '../../store/tables.js';
import { defineCommand } from '../command.js';
import { daemonTakesUp } from '../daemon-text.js';
import { jobOptions, readJobs } from '../job-arguments.js';
import { counted } from '../process-text.js';
import { print, printJson, say } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: { files: { type: 'string', array: true, describe: 'job files (YAML or JSON), - for stdin' } },
  options: jobOptions,
  takesCommand: true,
  examples: [
    ['$0 job.yaml', 'store the job of a file'],
    ['$0 --computer localhost --file in.txt --retrieve out.txt -- sort in.txt -o out.txt', 'store a command'],
  ],
  run: (given, words) =>
    withProfile(given, async (profile) => {
      const requests = await readJobs(given, words);
      const { submitJobs } = await import('../../engine/prepare-jobs.js');
      const rows = await submitJobs(profile, requests);
      if (given.json) printJson(rows.map(({ id, uuid, label }) => ({ id, uuid, label })));
      else print(rows.map(({ id }) => String(id)).join('\n'));
      await hurryDrivers(profile);
      if (process.stderr.isTTY) await sayWhatNext(profile, rows);
      return 0;
    }),
});

async function sayWhatNext({ store, location }: Profile, rows: readonly ProcessRow[]): Promise<void> {
  const computers = [...new Set(rows.map((row) => row.computer_id).filter((id) => id !== null))];
  const drivers = await Promise.all(computers.map((id) => driverOf(store, id)));
  const stored = `${counted(rows.length, 'calcjob')} stored`;
  const driven = drivers.every((driver) => driver !== null) || (await daemonTakesUp(location));
  say(
    driven
      ? `${stored}`
      : `${stored}; nothing drives ${rows.length === 1 ? 'it' : 'them'} yet: run wherry daemon start, or wherry tick`,
  );
}
