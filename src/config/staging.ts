import { z } from 'zod';
import { jobPath, text } from './job-text.js';
import { durationInSeconds } from './quantities.js';

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

/** A path on the computer, from its root. */
export const remotePath = text.refine((path) => isAbsolute(path), {
  error: 'must be an absolute path on the computer, without "." or ".."',
});

function isAbsolute(path: string): boolean {
  const [first, ...segments] = path.replace(/\/$/, '').split('/');
  return first === '' && segments.length > 0 && segments.every((part) => part !== '' && part !== '.' && part !== '..');
}

/** Number of a process that has ended, on the same computer. */
const processId = z.int().min(1);

/** A folder of the job's directory; `.` is the directory itself. */
const jobFolder = z.union([z.literal('.'), jobPath]);

/**
 * What the computer has already. `from` may be a glob of the computer's shell: `*`, `?`, `[…]`. What a glob matches goes
 * into the folder `to`, and so does anything where `to` is `.` (default) or ends with `/`; else `to` is its new name.
 */
const remoteEntry = z
  .strictObject({
    from: z.union([remotePath, z.strictObject({ process: processId, path: jobPath })]),
    to: jobFolder.default('.'),
  })
  .refine(({ from, to }) => to !== '.' || !/\/\.wherry\/?$/.test(typeof from === 'string' ? from : `/${from.path}`), {
    path: ['to'],
    error: 'the job directory has a .wherry of its own; give it another name',
  });
export type RemoteFiles = z.output<typeof remoteEntry>;

/** Files that are kept on the computer after the job, in a folder below `to` that belongs to the process alone. */
const stash = z.strictObject({
  to: remotePath,
  /** Relative to the job's directory, with patterns as the computer's shell knows them. */
  files: z.array(jobPath).min(1, 'names no file').max(1_000),
  /** As they are, or in one archive. */
  mode: z.enum(['copy', 'tar', 'tar.gz', 'tar.xz']).default('copy'),
  /** Keep what links lead to, and not the links. */
  dereference: z.boolean().default(false),
  /** Is a file that does not exist a failure? */
  failOnMissing: z.boolean().default(false),
});
export type Stash = z.output<typeof stash>;

/** Brings back what a process has stashed, or what stands in the folder of a stash. */
const unstash = z.strictObject({
  from: z.union([processId, remotePath]),
  /** Default: everything. */
  files: z.array(jobPath).min(1, 'names no file').max(1_000).optional(),
  into: jobFolder.default('.'),
});
export type Unstash = z.output<typeof unstash>;

/**
 * A function of a module here that is called again and again while the job runs, and may stop it: its path is absolute
 * once the job is stored.
 */
const monitor = z.strictObject({
  module: text.regex(/\.[cm]?js$/, 'must be a JavaScript module: .js, .mjs or .cjs'),
  export: z
    .string()
    .regex(/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u, 'is no name that a module can export')
    .default('default'),
  arguments: z.record(z.string(), z.json()).default({}),
  /** Files of the job whose text it is given. */
  files: z.array(jobPath).max(20).default([]),
  /** Larger is called first. */
  priority: z.int().min(-1000).max(1000).default(0),
  /** Seconds between two calls. */
  minimumInterval: durationInSeconds('30s')
    .refine((seconds) => seconds >= 1 && seconds <= 86_400, 'must be between 1s and 1d')
    .default(30),
  disabled: z.boolean().default(false),
});
export type Monitor = z.output<typeof monitor>;

/** The keys of a job that say which files go where, and who looks at them. What is optional is missing in jobs that were stored before. */
export const stagingKeys = {
  /** A run that is over, made by others on the computer: its results are retrieved and read, nothing is submitted. */
  remoteFolder: remotePath.optional(),
  /** Input files, by patterns over their names on the computer, that are sent and not kept here. */
  exclude: z.array(jobPath).optional(),
  /** Before anything is copied or linked. */
  unstash: unstash.optional(),
  /** Copied, or linked, on the computer itself once the input files are there. What is missing there is an error. */
  remoteCopy: z.array(remoteEntry).max(1_000).optional(),
  remoteSymlink: z.array(remoteEntry).max(1_000).optional(),
  monitors: z
    .record(z.string().regex(/^[A-Za-z]\w{0,62}$/, 'must be a word of letters, digits and "_"'), monitor)
    .optional(),
  /** Once the job has ended, however it did; a failure of it is one of the process. */
  stash: stash.optional(),
  retrieve: z.array(retrieveEntry).default([]),
  /** Beside what the definition of a calcjob brings. */
  retrieveAlso: z.array(retrieveEntry).optional(),
  /** Brought for the parser alone, and gone when it has ended. */
  retrieveTemporary: z.array(retrieveEntry).optional(),
} as const;
