import { requestCleaning } from '../../calcjob/cleaned.js';
import { type Cleanable, cleaningsOf, hasOwnDirectory } from '../../engine/clean-choice.js';
import { releaseCommand } from '../../engine/computer-unavailable.js';
import { hurryDrivers } from '../../engine/control/hurry.js';
import { Engine } from '../../engine/engine.js';
import type { Profile } from '../../engine/profile.js';
import { type CleaningView, cleaningView, computerNames } from '../../engine/views.js';
import { InputError } from '../../errors.js';
import { parseDuration } from '../../plugin/units.js';
import { fromJson, type Store } from '../../store/store.js';
import { chosenCalcJobs, cleanFilters } from '../clean-arguments.js';
import { defineCommand, flag, json, text } from '../command.js';
import { hintLines, usageError } from '../errors.js';
import { interruption } from '../interruption.js';
import { clock, counted, nameOf } from '../process-text.js';
import { ask, canAsk } from '../prompts.js';
import { settle } from '../settle.js';
import { print, printable, printJson, say } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: { ids: { type: 'string', array: true, describe: 'ended calcjobs' } },
  options: {
    ...cleanFilters,
    'dry-run': flag('only say what would be removed'),
    force: flag('do not ask'),
    timeout: text('how long to wait until they are removed (default: 5m); the wish stays stored'),
    json,
  },
  examples: [
    ['$0 3 4', 'the directories of two calcjobs'],
    ['$0 --computer daint --older-than 30d --dry-run', 'what would go'],
    ['$0 --exit-status 0 --older-than 7 --force', 'of those that succeeded, a week after their end'],
  ],
  run: (given) =>
    withProfile(given, async (profile) => {
      const timeout = parseDuration(given.timeout ?? '5m') * 1000;
      const rows = await chosenCalcJobs(profile.store, given);
      let outcomes = await outcomesOf(profile.store, rows, false);
      const wanted = rows.filter((_, index) => outcomes[index]?.outcome === 'planned');
      if (wanted.length > 0 && !given['dry-run']) {
        if (!given.force) await confirm(outcomes.filter(({ outcome }) => outcome === 'planned'));
        await request(profile, wanted);
        await driveUntilCleaned(profile, wanted, timeout);
        outcomes = await outcomesOf(profile.store, rows, true);
      }
      if (given.json) printJson(outcomes);
      else tell(outcomes);
      return outcomes.some(isBad) ? 1 : 0;
    }),
});

/** What becomes of one directory. */
interface Outcome {
  readonly id: number;
  readonly uuid: string;
  readonly label: string;
  readonly computer: string | null;
  readonly directory: string | null;
  /** `planned`: nobody has been asked yet; `skipped`: there is none. */
  readonly outcome: CleaningView['outcome'] | 'planned' | 'skipped';
  readonly reason: string | null;
  readonly cleanedAt: string | null;
}

const isBad = ({ outcome }: Outcome) => outcome === 'waiting' || outcome === 'refused' || outcome === 'failed';

/** @param asked has the removal been asked for? Before that, only what is removed already is told. */
async function outcomesOf(store: Store, rows: readonly Cleanable[], asked: boolean): Promise<Outcome[]> {
  const computers = await computerNames(store);
  const cleanings = await cleaningsOf(
    store,
    rows.map(({ id }) => id),
  );
  return rows.map((row) => {
    const { id, uuid, label, computer_id, remote_directory: directory } = row;
    const known = { id, uuid, label, computer: computers.get(computer_id ?? 0)?.label ?? null, directory };
    const nothing = { ...known, reason: null, cleanedAt: null };
    if (directory === null) return { ...nothing, outcome: 'skipped', reason: 'it has no directory there' };
    if (!hasOwnDirectory(row))
      return { ...nothing, outcome: 'refused', reason: 'others have made it: it was imported' };
    const cleaning = cleaningView(cleanings.get(id));
    if (cleaning === null || (!asked && cleaning.cleanedAt === null)) return { ...nothing, outcome: 'planned' };
    const { outcome, cleanedAt, failure } = cleaning;
    return { ...known, outcome, reason: failure?.message ?? null, cleanedAt };
  });
}

/** Errors: InputError where nobody can be asked, and when the answer is no. */
async function confirm(planned: readonly Outcome[]): Promise<void> {
  if (!canAsk()) throw usageError('nobody can be asked whether that is meant', 'add --force, or see with --dry-run');
  for (const one of planned.slice(0, shown)) say(`  ${place(one)} of ${nameOf(one)}`);
  if (planned.length > shown) say(`  and ${planned.length - shown} more`);
  const what = counted(planned.length, 'work directory', 'work directories');
  const answer = await ask(`Remove ${what}? What was brought back stays here (yes or no)`, 'no');
  if (!/^y(es)?$/i.test(answer)) throw new InputError('nothing was removed');
}

/** How many are named where it is about many. */
const shown = 10;
/** How many are asked for, or looked at, at once. */
const atOnce = 500;

async function request(profile: Profile, rows: readonly Cleanable[]): Promise<void> {
  const reason = 'a person asks for it';
  // Of very many, others must get their turn to write.
  for (let start = 0; start < rows.length; start += atOnce) {
    const some = rows.slice(start, start + atOnce);
    await profile.store
      .transaction()
      .execute((transaction) => requestCleaning(transaction, some, { reason }, Date.now()));
  }
  await hurryDrivers(profile);
}

/** Drives the computers of the calcjobs, or watches where another driver does, for a limited time. */
async function driveUntilCleaned(profile: Profile, rows: readonly Cleanable[], timeout: number): Promise<void> {
  const computers = [...new Set(rows.flatMap(({ computer_id }) => computer_id ?? []))];
  const said = new Set<string>();
  let left = rows;
  using interrupted = interruption();
  await using engine = new Engine(profile);
  await engine.drive({
    signal: AbortSignal.any([interrupted.signal, AbortSignal.timeout(timeout)]),
    computers,
    until: async () => {
      left = await stillWaiting(profile.store, left);
      return left.length === 0 || (await areHeld(profile.store, left, said));
    },
  });
  await settle(engine, interrupted.signal);
}

/** Those that have not come about yet, as far as the first of them show: of very many not all are looked at each time. */
async function stillWaiting(store: Store, rows: readonly Cleanable[]): Promise<readonly Cleanable[]> {
  const first = rows.slice(0, atOnce);
  const ids = first.map(({ id }) => id);
  const cleanings = await cleaningsOf(store, ids);
  const waiting = first.filter(({ id }) => cleanings.get(id)?.due_at !== null);
  const others = rows.slice(atOnce);
  return waiting.length > 0 || others.length === 0 ? [...waiting, ...others] : stillWaiting(store, others);
}

/** Says what keeps computers from being spoken to, once for each. @returns is that true of all, until somebody helps? */
async function areHeld(store: Store, rows: readonly Cleanable[], said: Set<string>): Promise<boolean> {
  const computers = await computerNames(store);
  const names = [...new Set(rows.map(({ computer_id }) => computer_id ?? 0))].flatMap((id) => computers.get(id) ?? []);
  for (const { label, hold, unreachable } of names) {
    const held = fromJson<{ readonly code: string; readonly message: string }>(hold);
    const why =
      held === undefined
        ? 'could not be reached; it is tried again'
        : `is held: ${held.message}; then run: ${releaseCommand(label, held.code)}`;
    if ((held === undefined && !unreachable) || said.has(`${label} ${why}`)) continue;
    said.add(`${label} ${why}`);
    say(printable(`${label} ${why}`));
  }
  return names.every(({ hold }) => hold !== null);
}

function tell(outcomes: readonly Outcome[]): void {
  if (outcomes.length === 0) say('there is no directory to remove');
  const waiting = outcomes.filter(({ outcome }) => outcome === 'waiting');
  const unseen = new Set(waiting.slice(shown));
  for (const one of outcomes) {
    if (!isBad(one)) print(lineOf(one));
    else if (!unseen.has(one)) say(`wherry: ${lineOf(one)}`);
  }
  const [first] = waiting;
  if (unseen.size > 0) say(`wherry: ${unseen.size} more are not removed yet`);
  if (first === undefined) return;
  const hint = `what is asked for is stored, any driver carries it out; see: wherry explain ${first.id}`;
  for (const line of hintLines(hint)) say(line);
}

function lineOf(one: Outcome): string {
  const { outcome, reason, cleanedAt } = one;
  const why = reason === null ? '' : `: ${printable(reason)}`;
  switch (outcome) {
    case 'planned':
      return `${nameOf(one)}: would remove ${place(one)}`;
    case 'cleaned':
      return `${nameOf(one)}: ${place(one)} was removed ${clock(cleanedAt ?? '')}`;
    case 'waiting':
      return `${nameOf(one)}: ${place(one)} is not removed yet${why}`;
    case 'skipped':
      return `${nameOf(one)}: skipped${why}`;
    case 'refused':
    case 'failed':
      return `${nameOf(one)}: ${place(one)} was not removed${why}`;
  }
}

/** `daint:/scratch/me/…`. */
function place({ computer, directory }: Outcome): string {
  return printable(`${computer}:${directory}`);
}
