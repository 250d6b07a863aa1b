import type { Options } from 'yargs';
import type { ComputerConfig } from '../config/computer.js';
import { issueAt, issuesError, type Origin } from '../config/issues.js';
import { loadScheduler, loadTransport } from '../config/plugins.js';
import { checkComputer } from '../config/resolve-computer.js';
import { InputError, WherryError } from '../errors.js';
import { text, texts } from './command.js';
import { pairs } from './job-arguments.js';
import { readValue, wordsOf } from './option-values.js';

/** Options that say what a computer is. */
export const computerOptions = {
  transport: text('how to reach it: local, ssh, or the name of a plugin'),
  host: text('the same as --connection host=HOST'),
  connection: texts('KEY=VALUE: a setting of the transport, such as user=me'),
  scheduler: text('its batch system: direct, slurm, pbspro, or the name of a plugin'),
  'scheduler-option': texts('KEY=VALUE: a setting of the scheduler'),
  'work-directory': text('where jobs get their directories; {user} and {home} are filled in'),
  description: text('a text for people'),
  shebang: text('first line of job scripts (default: #!/bin/bash)'),
  mpirun: text('words put before a parallel command, such as "srun -n {totalTasks}"'),
  'double-quotes': { type: 'boolean', describe: 'let the shell fill in variables in the words of mpirun' },
  prepend: text('shell lines before the command of every job'),
  append: text('shell lines behind the command of every job'),
  resource: texts('KEY=VALUE: what its jobs ask for where they do not say it, such as memoryPerNode=4GiB'),
  limit: texts(
    'KEY=VALUE: maxQueued, maxRunning, submitPerMinute, countForeignJobs, minPollInterval, … (docs/limits.md)',
  ),
} as const satisfies Record<string, Options>;

/** What the parser made of `computerOptions`. */
export type ComputerArguments = { readonly [Name in keyof typeof computerOptions]?: unknown };

/** Was any of the options given? */
export function anyComputerOption(given: ComputerArguments): boolean {
  return (Object.keys(computerOptions) as (keyof typeof computerOptions)[]).some((name) => given[name] !== undefined);
}

/**
 * A computer as a file would have it: `base` with the options laid over it. In `connection`, `schedulerOptions`,
 * `resources` and `limits` single keys are changed; an empty value removes one.
 */
export function computerOf(given: ComputerArguments, base: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const host = given.host === undefined ? [] : [`host=${String(given.host)}`];
  const connection = [...host, ...(Array.isArray(given.connection) ? given.connection : [])];
  const changes = {
    transport: given.transport,
    connection: merged(base.connection, connection, 'connection'),
    scheduler: given.scheduler,
    schedulerOptions: merged(base.schedulerOptions, given['scheduler-option'], 'scheduler-option'),
    workDirectory: given['work-directory'],
    description: given.description,
    shebang: given.shebang,
    mpirun: given.mpirun === undefined ? undefined : wordsOf(String(given.mpirun), 'mpirun'),
    doubleQuotes: given['double-quotes'],
    prepend: given.prepend,
    append: given.append,
    resources: merged(base.resources, given.resource, 'resource'),
    limits: merged(base.limits, given.limit, 'limit'),
  };
  return { ...base, ...Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)) };
}

/** Loads the plugins of a computer and lets them check it; a plugin that is not there is bad input. */
export async function checkNewComputer(config: ComputerConfig, origin: Origin = { source: '' }): Promise<void> {
  await asInput(loadScheduler(config.scheduler), 'scheduler', origin);
  await asInput(loadTransport(config.transport), 'transport', origin);
  await checkComputer(config, origin);
}

async function asInput(loading: Promise<unknown>, key: string, origin: Origin): Promise<void> {
  try {
    await loading;
  } catch (error) {
    if (!(error instanceof WherryError) || error.code !== 'plugin-missing') throw error;
    const { message, issues } = issuesError(origin.source, [issueAt(origin, [key], error.message)]);
    throw new InputError(message, issues, error.hint === undefined ? {} : { hint: error.hint });
  }
}

function merged(base: unknown, words: unknown, option: string): Record<string, unknown> | undefined {
  const changes = pairs(words, option);
  if (changes === undefined || Object.keys(changes).length === 0) return undefined;
  const values: Record<string, unknown> = { ...(typeof base === 'object' ? base : {}) };
  for (const [key, value] of Object.entries(changes)) {
    if (value === '') delete values[key];
    else values[key] = readValue(value, option);
  }
  return values;
}
