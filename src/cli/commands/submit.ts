import { hurryDrivers } from '../../engine/control/hurry.js';
import { driverOf } from '../../engine/driver-of.js';
import type { DryRun } from '../../engine/dry-run.js';
import type { JobRequest } from '../../engine/prepare-jobs.js';
import type { Profile } from '../../engine/profile.js';
import type { ProcessRow } from '../../store/tables.js';
import { defineCommand, flag } from '../command.js';
import { daemonTakesUp } from '../daemon-text.js';
import { jobOptions, readJobs } from '../job-arguments.js';
import { counted } from '../process-text.js';
import { print, printable, printJson, printRaw, say } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: { files: { type: 'string', array: true, describe: 'job files (YAML or JSON), - for stdin' } },
  options: {
    ...jobOptions,
    'dry-run': flag('send and store nothing: write what would be sent below ./submit_test, and print the script'),
  },
  takesCommand: true,
  examples: [
    ['$0 job.yaml', 'store the job of a file'],
    ['$0 --dry-run job.yaml', 'look at its script and its folder'],
    ['$0 --computer localhost --file in.txt --retrieve out.txt -- sort in.txt -o out.txt', 'store a command'],
  ],
  run: (given, words) =>
    withProfile(given, async (profile) => {
      const requests = await readJobs(given, words);
      if (given['dry-run']) return dryRuns(profile, requests, given.json);
      const { submitJobs } = await import('../../engine/prepare-jobs.js');
      const rows = await submitJobs(profile, requests);
      if (given.json) printJson(rows.map(({ id, uuid, label }) => ({ id, uuid, label })));
      else print(rows.map(({ id }) => String(id)).join('\n'));
      await hurryDrivers(profile);
      if (process.stderr.isTTY) await sayWhatNext(profile, rows);
      return 0;
    }),
});

async function dryRuns(profile: Profile, requests: readonly JobRequest[], asJson: boolean): Promise<number> {
  const { writeDryRun } = await import('../../engine/dry-run.js');
  const written: DryRun[] = [];
  for (const request of requests) written.push(await writeDryRun(profile, request));
  if (asJson) printJson(written);
  else for (const { script } of written) await printRaw(script);
  for (const { folder } of written) say(`what would be sent is in ${printable(folder)}; nothing was stored or sent`);
  return 0;
}

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
