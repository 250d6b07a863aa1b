import { z } from 'zod';
import { jobPath, text } from './job-text.js';

/** Name of a code in a job: `pw@daint`, or `pw` alone where that is enough. */
const codeName = z
  .string()
  .regex(/^\w[\w.-]{0,62}(@\w[\w.-]{0,62})?$/, 'must be the label of a code, such as pw or pw@daint');

/** One of several codes of a job. */
const codeCall = z.strictObject({
  code: codeName,
  arguments: z.array(text).default([]),
  stdin: jobPath.optional(),
  /** Default: the streams of the job, which all such codes share. */
  stdout: jobPath.optional(),
  stderr: jobPath.optional(),
  mpi: z.boolean().optional(),
  mpirunExtra: z.array(text).optional(),
});

/** The keys of a job that say what is run. One of `command`, `code` and `codes` is given. */
export const programFields = {
  command: z
    .array(text)
    .min(1, 'names no program')
    .refine(([program]) => program !== '', 'names no program')
    .optional(),
  code: codeName.optional(),
  /** Of the `code`. */
  arguments: z.array(text).optional(),
  codes: z.array(codeCall).min(1, 'names no code').max(1_000).optional(),
  /** Of several codes: one after another until one fails (default), or all at once. */
  codesRun: z.enum(['serial', 'parallel']).optional(),
  stdin: jobPath.optional(),
  stdout: jobPath.default('stdout.txt'),
  stderr: jobPath.default('stderr.txt'),
  /** Run it under the computer's `mpirun`; default: when it has one and more than one task is asked for. */
  mpi: z.boolean().optional(),
  /** Words put behind those of the computer's `mpirun`. */
  mpirunExtra: z.array(text).optional(),
};

type Programs = z.output<z.ZodObject<typeof programFields>>;

/** What only makes sense together. Told beside all else that is wrong, so values may be of any type. */
export function expectPrograms(job: Programs, context: z.RefinementCtx): void {
  if (typeof job !== 'object' || job === null) return;
  const wrong = (path: PropertyKey[], message: string) => context.addIssue({ code: 'custom', path, message });
  const ways = (['command', 'code', 'codes'] as const).filter((key) => job[key] !== undefined);
  if (ways.length === 0) wrong(['command'], 'is missing (or code, or codes)');
  for (const key of ways.slice(1)) wrong([key], `cannot be given together with ${ways[0]}`);
  if (job.arguments !== undefined && job.code === undefined) wrong(['arguments'], 'are those of a code: name it');
  if (job.codes === undefined && job.codesRun !== undefined) wrong(['codesRun'], 'is for several codes');
  if (!Array.isArray(job.codes)) return;
  if (job.stdin !== undefined) wrong(['stdin'], 'belongs to one of the codes');
  const taken = new Set<unknown>([job.stdout, job.stderr]);
  for (const [index, call] of job.codes.entries()) {
    for (const stream of ['stdout', 'stderr'] as const) {
      const path = call?.[stream];
      if (path === undefined || (stream === 'stderr' && path === call.stdout)) continue;
      if (taken.has(path)) wrong(['codes', index, stream], `${JSON.stringify(path)} is written by something else too`);
      taken.add(path);
    }
  }
}
