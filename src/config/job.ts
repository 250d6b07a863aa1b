import { z } from 'zod';
import { resourceFields } from '../plugin/resources.js';
import { poolName } from './computer.js';
import { jobPath, text, word } from './job-text.js';
import { durationInSeconds, sizeInBytes } from './quantities.js';

const duration = durationInSeconds('90m or 1h30m').refine(
  (seconds) => seconds >= 1 && seconds <= 315_360_000,
  'must be between 1s and 3650d',
);
const size = sizeInBytes('500MB or 64GiB').refine(
  (bytes) => bytes >= 2 ** 20 && bytes <= 2 ** 50,
  'must be between 1MiB and 1024TiB, with its unit, such as 64GiB',
);

/**
 * What to bring back. A plain name is a file or folder; `*`, `?`, `[` and `{` make a glob. A plain string keeps its
 * path; with `to` the last `depth` segments (default 1: the name alone) are placed under that folder.
 */
const retrieveEntry = z.union([
  jobPath,
  z.strictObject({
    from: jobPath,
    /** Folder in the results; `.` is the top. */
    to: z.union([z.literal('.'), jobPath]).optional(),
    /** How many trailing path segments to keep; null keeps the whole path. */
    depth: z.int().min(0).max(100).nullable().optional(),
  }),
]);

/** The resources as users write them; what a scheduler cannot express is refused by its plugin's own schema. */
const resources = z.strictObject({
  nodes: resourceFields.nodes,
  tasksPerNode: resourceFields.tasksPerNode,
  cpusPerTask: resourceFields.cpusPerTask,
  gpusPerNode: resourceFields.gpusPerNode,
  memoryPerNode: size.optional(),
  walltime: duration.optional(),
});

/** A job as a person or a program writes it: the inputs of the built-in calcjob `shell`. */
export const jobSchema = z.strictObject({
  computer: z.string().min(1).optional(),
  label: text.max(255).optional(),
  description: text.max(10_000).optional(),
  command: z
    .array(text)
    .min(1, 'names no program')
    .refine(([program]) => program !== '', 'names no program'),
  stdin: jobPath.optional(),
  stdout: jobPath.default('stdout.txt'),
  stderr: jobPath.default('stderr.txt'),
  /** Name on the computer → file or folder here; a name that ends in `/` is a folder. */
  files: z.record(jobPath, text.min(1)).default({}),
  resources: resources.default({}),
  queue: word.optional(),
  account: word.optional(),
  qos: word.optional(),
  constraint: z
    .string()
    .regex(/^[\w&|()[\]*:,.+-]+$/, 'has characters that no scheduler takes')
    .optional(),
  headerLines: z.array(text.regex(/^#[^\n\r]*$/, 'must be one line that begins with #')).default([]),
  environment: z.record(z.string().regex(/^[A-Za-z_]\w*$/, 'is no name of an environment variable'), text).default({}),
  /** Run the command under the computer's `mpirun`; default: when it has one and more than one task is asked for. */
  mpi: z.boolean().optional(),
  prepend: text.default(''),
  append: text.default(''),
  retrieve: z.array(retrieveEntry).default([]),
  /** A module here whose default export reads the results: absolute once the job is stored. */
  parser: text.regex(/\.[cm]?js$/, 'must be a JavaScript module: .js, .mjs or .cjs').optional(),
  /** Larger goes first where a limit makes jobs wait. */
  priority: z.int().min(-1000).max(1000).default(0),
  /** How much it takes of its computer's pools; one of each unless said otherwise. */
  pools: z.record(poolName, z.int().min(0)).default({}),
});

/** A checked job, durations in seconds and sizes in bytes. */
export type Job = z.output<typeof jobSchema>;
export type JobInput = z.input<typeof jobSchema>;
export type RetrieveEntry = z.output<typeof retrieveEntry>;
