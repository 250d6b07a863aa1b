import { z } from 'zod';
import { resources } from './job-resources.js';
import { durationInSeconds } from './quantities.js';

/** Text that goes into a script or a file name: anything but NUL. */
const text = z.string().refine((value) => !value.includes('\0'), 'a NUL character cannot be used here');

const interval = durationInSeconds('30s')
  .refine((seconds) => seconds >= 0, 'must be at least 0')
  .refine((seconds) => seconds <= 86_400, 'must be at most a day (24h)')
  .transform((seconds) => Math.round(seconds * 1000));

/** Name of a computer or a code. */
export const label = z.string().regex(/^\w[\w.-]{0,62}$/, 'must be letters, digits, ".", "_" or "-", at most 63');

/** Name of a pool, in computers and in jobs. */
export const poolName = z.string().regex(/^\w[\w.-]{0,62}$/, 'must be letters, digits, ".", "_" or "-", at most 63');

/** Limits of a computer. Intervals are written `30s` or in seconds, and held in milliseconds. */
const limits = z.strictObject({
  /** Most jobs of ours that stand in the queue or run. */
  maxQueued: z.int().min(1).optional(),
  /** Most jobs of ours that run at the same time; one that waits in the queue may start at any moment, and counts. */
  maxRunning: z.int().min(1).optional(),
  /** Do the user's jobs that Wherry did not submit count for `maxQueued` too? */
  countForeignJobs: z.boolean().optional(),
  submitPerMinute: z.number().positive().optional(),
  /** Least time between two listings. */
  minPollInterval: interval.optional(),
  /** Least time between two openings of a connection. */
  safeOpenInterval: interval.optional(),
  /** Most channels in use at once on the connection. */
  maxChannels: z.int().min(1).max(64).optional(),
  /** Name → size of what is shared by every computer that names it, e.g. licences; each job takes one of each. */
  pools: z.record(poolName, z.int().min(1)).optional(),
});

/** What is filled in for `{name}` in the words of `mpirun`: as the job asks for it, bytes and seconds. */
const mpirunValues = ['totalTasks', 'nodes', 'tasksPerNode', 'cpusPerTask', 'gpusPerNode', 'memoryPerNode', 'walltime'];

/** A computer as users write it; `connection` and `schedulerOptions` are checked by the plugins' own schemas. */
export const computerSchema = z.strictObject({
  label,
  description: text.default(''),
  transport: z.string().min(1),
  connection: z.record(z.string(), z.unknown()).default({}),
  scheduler: z.string().min(1),
  schedulerOptions: z.record(z.string(), z.unknown()).default({}),
  /** Absolute once `{user}` and `{home}` are filled in; may begin with `{home}` or `~/`. */
  workDirectory: z
    .string()
    .refine(isWorkDirectory, 'must be an absolute directory of your own, without "..", and not / itself')
    .refine(hasKnownPlaceholders, 'has an unknown placeholder; only {user} and {home} are filled in'),
  shebang: z
    .string()
    .regex(/^#![^\n\r\0]+$/, 'must begin with #!')
    .default('#!/bin/bash'),
  /** Words put before a command that runs under MPI; `{totalTasks}` and the names of resources are filled in. */
  mpirun: z
    .array(text.refine(hasKnownValues, `has an unknown placeholder; there are ${mpirunValues.join(', ')}`))
    .default([]),
  /** Write the words of `mpirun` in double quotes, so that the shell fills in variables. */
  doubleQuotes: z.boolean().default(false),
  prepend: text.default(''),
  append: text.default(''),
  /** What its jobs ask for where they do not say it themselves. Missing in computers that were stored before. */
  resources: resources.optional(),
  limits: limits.default({}),
});

function isWorkDirectory(path: string): boolean {
  if (path.includes('\0') || path.includes('\n')) return false;
  const absolute = path.replace(/^(~|\{home\})(?=\/)/, '/home');
  const segments = absolute.split('/').filter((part) => part !== '' && part !== '.');
  return absolute.startsWith('/') && segments.length > 0 && !segments.includes('..');
}

function hasKnownValues(word: string): boolean {
  return [...word.matchAll(/\{(\w+)\}/g)].every(([, name = '']) => mpirunValues.includes(name));
}

function hasKnownPlaceholders(path: string): boolean {
  return [...path.matchAll(/\{(\w*)\}/g)].every(([, name]) => name === 'user' || name === 'home');
}

/** A checked computer, as the store keeps it. */
export type ComputerConfig = z.output<typeof computerSchema>;
export type Limits = ComputerConfig['limits'];
