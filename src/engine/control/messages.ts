import { z } from 'zod';

const file = z.strictObject({
  path: z.string().min(1),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  size: z.int().min(0),
  mode: z.int().min(0).max(0o777),
});

/**
 * What can be asked for by a task: `create` stores a calcjob that waits to be continued, `continue` lets it go on,
 * `launch` is both at once. The job is as a job file would have it; its files stand in the repository.
 */
export const processTask = z.discriminatedUnion('task', [
  z.strictObject({ task: z.enum(['launch', 'create']), uuid: z.uuid(), job: z.unknown(), files: z.array(file) }),
  z.strictObject({ task: z.literal('continue'), id: z.int().min(1) }),
]);
export type ProcessTask = z.output<typeof processTask>;

export const intents = ['pause', 'play', 'kill', 'status'] as const;
export type Intent = (typeof intents)[number];

/** What a driver can be asked to do with a process that it works on. */
export const processRequest = z.strictObject({
  id: z.int().min(1),
  intent: z.enum(intents),
  reason: z.string().max(1_000).optional(),
});
export type ProcessRequest = z.output<typeof processRequest>;

const inside = z
  .string()
  .refine((path) => !path.startsWith('/') && !path.split('/').includes('..'), 'leads out of the directory');

/** What a driver can be asked to do on a computer that it holds. */
export const computerRequest = z.strictObject({
  computerId: z.int().min(1),
  task: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('test') }),
    z.strictObject({ kind: z.literal('code'), codeId: z.int() }),
    z.strictObject({ kind: z.literal('list'), processId: z.int() }),
    z.strictObject({ kind: z.literal('read'), processId: z.int(), path: inside, target: z.string() }),
    z.strictObject({ kind: z.literal('fetch'), processId: z.int(), path: inside.nullable(), target: z.string() }),
  ]),
});
