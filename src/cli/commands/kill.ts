import { stopTimeout } from '../../daemon/stop-timeout.js';
import { hurryDrivers } from '../../engine/control/hurry.js';
import { Engine } from '../../engine/engine.js';
import { forceKill } from '../../engine/force-kill.js';
import { requestKill } from '../../engine/intents.js';
import type { Profile } from '../../engine/profile.js';
import type { ProcessSummary } from '../../engine/views.js';
import { parseDuration } from '../../plugin/units.js';
import type { ProcessRow } from '../../store/tables.js';
import { allFlag, chosenPositionals, chosenProcesses } from '../chosen-processes.js';
import { defineCommand, flag, json, text } from '../command.js';
import { hintLines } from '../errors.js';
import { obstacles, readSummaries } from '../follow.js';
import { interruption } from '../interruption.js';
import { nameOf, remark, stateText } from '../process-text.js';
import { startProgress } from '../progress.js';
import { settle } from '../settle.js';
import { paintTalk, print, printable, printJson, say } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: chosenPositionals,
  options: {
    all: allFlag,
    timeout: text('how long to wait for the ends (default: 60s, with --force 5s); the wish stays stored'),
    force: flag('end what has not ended by then without its computer, where its job may live on'),
    reason: text('why, for the record'),
    json,
  },
  examples: [
    ['$0 3', 'end process 3 and its job on the computer'],
    ['$0 --all --timeout 5m', 'end everything'],
    ['$0 3 --force', 'also where the computer cannot be reached'],
  ],
  run: (given) =>
    withProfile(given, async (profile) => {
      const timeout = parseDuration(given.timeout ?? (given.force ? '5s' : '60s')) * 1000;
      const rows = await chosenProcesses(profile.store, given);
      const asked: ProcessRow[] = [];
      for (const row of rows) {
        if (await requestKill(profile.store, row, given.reason ?? 'killed by its user')) asked.push(row);
        else say(`${nameOf(row)} has ended already`);
      }
      await hurryDrivers(profile);
      if (given.all && rows.length === 0) say('there is nothing to kill');
      const ids = asked.map(({ id }) => id);
      let summaries = await driveUntilEnded(profile, asked, timeout, given.force ? shortPatience : stopTimeout);
      if (given.force && summaries.some(isLeft)) {
        await forceAll(profile, summaries.filter(isLeft));
        summaries = await readSummaries(profile.store, ids);
      }
      if (given.json) printJson(summaries);
      else
        for (const summary of summaries)
          if (summary.endedAt !== null) print(`${nameOf(summary)} is ${stateText(summary)}`);
      const left = summaries.filter(isLeft);
      await tellWhatIsLeft(profile, left);
      return left.length === 0 ? 0 : 1;
    }),
});

/** Milliseconds for steps in progress where somebody wants an end whatever it costs. */
const shortPatience = 3_000;

const isLeft = ({ endedAt }: ProcessSummary) => endedAt === null;

/** Ends processes without their computers, and says of each which job it may leave there. */
async function forceAll({ store }: Profile, summaries: readonly ProcessSummary[]): Promise<void> {
  for (const summary of summaries) {
    const { left } = await forceKill(store, summary.id);
    if (left === undefined) continue;
    const { jobId, jobName, computer, directory, command } = left;
    const job = jobId === null ? `a job named ${jobName}, if it was accepted,` : `job ${jobId} (${jobName})`;
    say(
      `${paintTalk.yellow('warning:')} ${nameOf(summary)} was ended by force; ${printable(`${job} may live on at ${computer}`)}`,
    );
    const byHand = `look for the name ${jobName} there${directory === null ? '' : `; its directory is ${directory}`}`;
    for (const line of hintLines(command === undefined ? byHand : `cancel it there: ${command}`)) say(line);
  }
}

/** Drives the computers of the processes, or watches where another driver does, for a limited time. */
async function driveUntilEnded(
  profile: Profile,
  rows: readonly ProcessRow[],
  timeout: number,
  patience: number,
): Promise<ProcessSummary[]> {
  if (rows.length === 0) return [];
  const ids = rows.map(({ id }) => id);
  const computers = [...new Set(rows.map((row) => row.computer_id).filter((id) => id !== null))];
  let summaries: ProcessSummary[] = [];
  using interrupted = interruption();
  using progress = startProgress();
  await using engine = new Engine(profile);
  await engine.drive({
    signal: AbortSignal.any([interrupted.signal, AbortSignal.timeout(timeout)]),
    computers,
    until: async () => {
      summaries = await readSummaries(profile.store, ids);
      progress.show(summaries);
      return summaries.every(({ endedAt }) => endedAt !== null);
    },
  });
  await settle(engine, interrupted.signal, patience);
  return readSummaries(profile.store, ids);
}

async function tellWhatIsLeft({ store }: Profile, left: readonly ProcessSummary[]): Promise<void> {
  const stuck = await obstacles(store, left);
  for (const summary of left) {
    const obstacle = stuck.find(({ id }) => id === summary.id);
    const why = obstacle?.reason ?? `is still ${stateText(summary)}: ${remark(summary)}`;
    say(`wherry: ${nameOf(summary)} ${printable(why)}`);
    for (const line of hintLines(
      obstacle?.hint ?? `the wish to kill it is stored, any driver carries it out; see: wherry explain ${summary.id}`,
    )) {
      say(line);
    }
  }
}
