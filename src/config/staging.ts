import { z } from 'zod';
import { jobPath } from './job-text.js';

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
    /** How many trailing path segments to keep; 0 takes what is in a folder, null keeps the whole path. */
    depth: z.int().min(0).max(100).nullable().optional(),
  }),
]);
export type RetrieveEntry = z.output<typeof retrieveEntry>;

/** The keys of a job that say which files go where. What is optional is missing in jobs that were stored before. */
export const stagingKeys = {
  retrieve: z.array(retrieveEntry).default([]),
  /** Beside what the definition of a calcjob brings. */
  retrieveAlso: z.array(retrieveEntry).optional(),
  /** Brought for the parser alone, and gone when it has ended. */
  retrieveTemporary: z.array(retrieveEntry).optional(),
} as const;
