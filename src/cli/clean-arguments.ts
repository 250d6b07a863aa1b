import { type Cleanable, cleanableJobs } from '../engine/clean-choice.js';
import { getComputer } from '../engine/computers.js';
import { InputError, messageOf, WherryError } from '../errors.js';
import { parseDuration } from '../plugin/units.js';
import type { Store } from '../store/store.js';
import type { ProcessRow } from '../store/tables.js';
import { flag, text, texts } from './command.js';
import { usageError } from './errors.js';
import { findProcess } from './find-process.js';

/** What chooses ended calcjobs, beside their ids. */
export const cleanFilters = {
  all: flag('all that have ended'),
  computer: texts('only those on this computer'),
  'older-than': text('only those that ended longer ago, such as 30d; a plain number means days'),
  'newer-than': text('only those that ended since then, such as 7d'),
  'exit-status': texts('only those that finished with this exit status'),
};

interface CleanArguments {
  readonly ids?: readonly string[] | undefined;
  readonly all: boolean;
  readonly computer: readonly string[] | undefined;
  readonly 'older-than': string | undefined;
  readonly 'newer-than': string | undefined;
  readonly 'exit-status': readonly string[] | undefined;
}

/**
 * The ended calcjobs that are meant, by id. Errors: InputError with all that is wrong with the ids; bad usage where
 * nothing, or both ids and filters, are given.
 */
export async function chosenCalcJobs(store: Store, given: CleanArguments): Promise<Cleanable[]> {
  const { ids = [], computer = [], 'exit-status': statuses = [] } = given;
  const before = timeAgo(given, 'older-than');
  const after = timeAgo(given, 'newer-than');
  const hasFilter = computer.length + statuses.length > 0 || before !== undefined || after !== undefined;
  if (ids.length > 0 && (hasFilter || given.all)) throw usageError('ids and filters exclude each other', 'give either');
  if (ids.length > 0) return namedCalcJobs(store, ids);
  if (!hasFilter && !given.all) {
    throw usageError(
      'no calcjob is named',
      'give ids (see: wherry ps --all), filters such as --older-than 30d, or --all',
    );
  }
  const computers: number[] = [];
  for (const label of computer) computers.push((await getComputer(store, label)).id);
  return cleanableJobs(store, { computers, before, after, exitStatuses: statuses.map(exitStatusOf) });
}

async function namedCalcJobs(store: Store, ids: readonly string[]): Promise<ProcessRow[]> {
  const rows = new Map<number, ProcessRow>();
  const problems: string[] = [];
  for (const id of ids) {
    try {
      const row = await findProcess(store, id);
      const problem = problemOf(row);
      if (problem === undefined) rows.set(row.id, row);
      else problems.push(`process ${row.id} ${problem}`);
    } catch (error) {
      if (!(error instanceof WherryError)) throw error;
      problems.push(messageOf(error));
    }
  }
  if (problems.length === 0) return [...rows.values()].sort((one, other) => one.id - other.id);
  const issues = problems.map((message) => ({ path: 'ids', message }));
  throw new InputError(problems.join('\n'), issues, { hint: 'nothing was removed; see: wherry ps --all' });
}

function problemOf({ kind, ended_at, state }: ProcessRow): string | undefined {
  if (kind !== 'calcjob') return `is a ${kind}: only calcjobs have directories on computers`;
  return ended_at === null ? `has not ended: it is ${state}` : undefined;
}

function timeAgo(given: CleanArguments, name: 'older-than' | 'newer-than'): number | undefined {
  const value = given[name];
  if (value === undefined) return undefined;
  return Date.now() - parseDuration(/^\d+(\.\d+)?$/.test(value) ? `${value}d` : value) * 1000;
}

function exitStatusOf(value: string): number {
  if (/^\d{1,9}$/.test(value)) return Number(value);
  throw usageError(`"${value}" is no exit status`, 'give a whole number from 0 on');
}
