import { z } from 'zod';
import type { CodeConfig } from './code.js';
import { poolName } from './computer.js';
import { expectPrograms, programFields } from './job-programs.js';
import { resources } from './job-resources.js';
import { schedulingFields } from './job-scheduling.js';
import { jobPath, text } from './job-text.js';
import { stagingKeys } from './staging.js';

/** A job as a person or a program writes it: the inputs of the built-in calcjob `shell`. */
export const jobSchema = z
  .strictObject({
    computer: z.string().min(1).optional(),
    label: text.max(255).optional(),
    description: text.max(10_000).optional(),
    ...programFields,
    /** Name on the computer → file or folder here; a name that ends in `/` is a folder. */
    files: z.record(jobPath, text.min(1)).default({}),
    resources: resources.default({}),
    ...schedulingFields,
    environment: z
      .record(z.string().regex(/^[A-Za-z_]\w*$/, 'is no name of an environment variable'), text)
      .default({}),
    /** Let the shell fill in variables in the values of `environment`. Default: they are taken as they are. */
    environmentDoubleQuotes: z.boolean().optional(),
    prepend: text.default(''),
    append: text.default(''),
    ...stagingKeys,
    /** A module here whose default export reads the results: absolute once the job is stored. */
    parser: text.regex(/\.[cm]?js$/, 'must be a JavaScript module: .js, .mjs or .cjs').optional(),
    /** Larger goes first where a limit makes jobs wait. */
    priority: z.int().min(-1000).max(1000).default(0),
    /** How much it takes of its computer's pools; one of each unless said otherwise. */
    pools: z.record(poolName, z.int().min(0)).default({}),
  })
  .superRefine(expectPrograms, { when: () => true });

/** A checked job, durations in seconds and sizes in bytes. */
export type Job = z.output<typeof jobSchema> & {
  /** The codes that it names, as they were when it was stored: later changes do not concern it. */
  readonly codeDefinitions?: Readonly<Record<string, CodeConfig>>;
};
export type JobInput = z.input<typeof jobSchema>;
