import { z } from 'zod';

const count = (most: number) => z.int().min(1).max(most).optional();

/**
 * Building blocks for a plugin's resources schema: pick those that the scheduler can express, into a `z.strictObject`.
 * The bounds are far above any machine there is; they catch slips of the keyboard.
 */
export const resourceFields = {
  nodes: count(1_000_000),
  tasksPerNode: count(100_000),
  cpusPerTask: count(100_000),
  gpusPerNode: count(10_000),
  /** Bytes: at least 1 MiB, at most 1 PiB. */
  memoryPerNode: z
    .int()
    .min(2 ** 20)
    .max(2 ** 50)
    .optional(),
  /** Seconds: at most 10 years. */
  walltime: z.number().min(1).max(315_360_000).optional(),
};
