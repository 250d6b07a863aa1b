import { Driver } from '../../engine/control/driver.js';
import type { Engine } from '../../engine/engine.js';
import { submitJobs } from '../../engine/prepare-jobs.js';
import type { Profile } from '../../engine/profile.js';
import type { ProcessSummary } from '../../engine/views.js';
import { InputError } from '../../errors.js';
import type { ProcessRow } from '../../store/tables.js';
import { defineCommand } from '../command.js';
import { hintLines } from '../errors.js';
import { obstacles, readSummaries } from '../follow.js';
import { interruption } from '../interruption.js';
import { jobOptions, readJobs } from '../job-arguments.js';
import { counted, nameOf, paintState, remark, stateText, succeeded } from '../process-text.js';
import { type Progress, startProgress } from '../progress.js';
import { settle } from '../settle.js';
import { formatTable } from '../table.js';
import { paint, print, printable, printJson, say, terminalWidth } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: {
    files: { type: 'string', array: true, describe: 'job files (YAML or JSON), - for stdin; or one script (.ts, .js)' },
  },
  options: jobOptions,
  takesCommand: true,
  examples: [
    ['$0 job.yaml', 'run the job of a file'],
    ['$0 --computer localhost -- echo hello', 'run a command'],
    ['$0 study.ts', 'run a script with the profile loaded'],
  ],
  run: async (given, words) => {
    const [script, ...others] = given.files ?? [];
    if (script !== undefined && isScript(script)) {
      if (others.length > 0) throw new InputError('one script at a time; its own arguments come behind --');
      const { runScript } = await import('../run-script.js');
      return runScript(script, given, words);
    }
    return withProfile(given, async (profile) => {
      const rows = await submitJobs(profile, await readJobs(given, words));
      using interrupted = interruption();
      const { summaries, stuck } = await drive(profile, rows, interrupted.signal);
      if (given.json) printJson(summaries);
      else showResults(summaries);
      for (const { reason, hint, ...process } of stuck) {
        say(`wherry: ${nameOf(process)} ${printable(reason)}`);
        for (const line of hintLines(hint)) say(line);
      }
      if (interrupted.signal.aborted) sayHowToGoOn(summaries);
      return summaries.every(succeeded) ? 0 : 1;
    });
  },
});

/** Is this a script, and not a job? */
function isScript(file: string): boolean {
  return /\.[cm]?[jt]s$/.test(file);
}

type Outcome = {
  readonly summaries: readonly ProcessSummary[];
  readonly stuck: Awaited<ReturnType<typeof obstacles>>;
};

/** Drives the computers of the processes until all have ended or none can go on by itself. */
async function drive(profile: Profile, rows: readonly ProcessRow[], signal: AbortSignal): Promise<Outcome> {
  const ids = rows.map(({ id }) => id);
  const computers = [...new Set(rows.map((row) => row.computer_id).filter((id) => id !== null))];
  const said = new Set<number>();
  let summaries = await readSummaries(profile.store, ids);
  let stuck: Outcome['stuck'] = [];
  using progress = startProgress();
  await using driver = await Driver.open(profile, { isWorker: false, onProblem: () => undefined });
  const { engine } = driver;
  const finished = async () => {
    summaries = await readSummaries(profile.store, ids);
    progress.show(summaries);
    tellForeignDrivers(engine, progress, said);
    stuck = await obstacles(profile.store, summaries);
    return summaries.every(
      (summary, index) => summary.endedAt !== null || stuck.some(({ id }) => id === summaries[index]?.id),
    );
  };
  await engine.drive({ signal, computers, until: finished });
  await settle(engine, signal);
  return { summaries: await readSummaries(profile.store, ids), stuck };
}

function tellForeignDrivers(engine: Engine, progress: Progress, said: Set<number>): void {
  for (const { computerId, holder } of engine.foreignDrivers) {
    if (said.has(computerId)) continue;
    said.add(computerId);
    progress.note(`another driver (pid ${holder.pid} on ${holder.host}) works on the computer; watching what it does`);
  }
}

function showResults(summaries: readonly ProcessSummary[]): void {
  const width = terminalWidth(process.stdout);
  const lines = formatTable<ProcessSummary>(
    [
      { title: 'ID', align: 'right', value: ({ id }) => String(id) },
      { title: 'LABEL', value: ({ label }) => printable(label) },
      { title: 'COMPUTER', value: ({ computer }) => computer ?? '' },
      { title: 'STATE', value: stateText, paint: paintState },
      { title: 'REMARK', value: remark },
    ],
    summaries,
    { width, header: paint.bold },
  );
  print(lines.join('\n'));
  const [first] = summaries.filter((summary) => summary.endedAt !== null);
  if (first === undefined) return;
  const id = summaries.length === 1 ? String(first.id) : 'ID';
  say(`results: wherry files ls ${id}, wherry files get ${id}; what happened: wherry report ${id}`);
}

function sayHowToGoOn(summaries: readonly ProcessSummary[]): void {
  const left = summaries.filter((summary) => summary.endedAt === null);
  if (left.length === 0) return;
  const ids = left.length <= 10 ? left.map(({ id }) => id).join(' ') : `${left[0]?.id} …`;
  say(`stopped driving; ${counted(left.length, 'process stays', 'processes stay')} stored, and jobs run on`);
  say(`go on with: wherry tick; wait with: wherry wait ${ids}; end with: wherry kill ${ids}`);
}
