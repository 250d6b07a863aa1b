import type { FaultRule } from '../../testing/index.js';
import type { Dice } from './plan.js';

interface Words {
  readonly words: string;
  readonly status: number;
}

/** What schedulers say of a job that they will never take, and the exit status that it ends with. */
export const refusals: Readonly<Record<string, { readonly permanent: Words; readonly account: Words }>> = {
  slurm: {
    permanent: {
      words: `sbatch: error: invalid partition specified: nowhere
sbatch: error: Batch job submission failed: Invalid partition name specified`,
      status: 130,
    },
    account: {
      words: 'sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified',
      status: 131,
    },
  },
  pbspro: {
    permanent: { words: 'qsub: Unknown queue', status: 130 },
    account: { words: 'qsub: Invalid account', status: 131 },
  },
};

/** What they say when it is not the job's fault; the last of each leaves open whether they have taken it. */
const passing: Readonly<Record<string, readonly [string, ...string[]]>> = {
  slurm: [
    'sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)',
    'sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying',
    'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation',
  ],
  pbspro: [
    'qsub: cannot connect to server simulated (errno=15010)',
    'qsub: Maximum number of jobs already in queue',
    'qsub: End of File',
  ],
  direct: ['sh: cannot fork'],
};

/** Everything that can go wrong; chance decides what does, how often, and where a stream breaks. */
export function troubles(scheduler: string, { whole, oneOf }: Dice): FaultRule[] {
  return [
    { on: ['upload', 'submit', 'marker', 'find', 'list', 'kill', 'download'], fault: { kind: 'lost-before' } },
    { on: ['upload', 'submit', 'download', 'kill'], fault: { kind: 'lost-after' } },
    { on: ['submit', 'kill'], fault: { kind: 'hang', executes: 'at-once' } },
    { on: ['submit', 'kill'], fault: { kind: 'hang', executes: 'never' } },
    { on: ['submit', 'upload'], fault: { kind: 'hang', executes: 30_000 } },
    // Long after anybody waits for it: the next attempt has been made by then.
    { on: 'submit', fault: { kind: 'hang', executes: whole(150_000, 600_000) } },
    { on: ['submit', 'upload'], fault: { kind: 'cut', bytes: whole(0, 2_500), of: 'request' } },
    { on: 'submit', fault: { kind: 'cut', bytes: whole(0, 40), of: 'reply' } },
    { on: ['marker', 'find', 'list', 'accounting', 'exit-files'], fault: { kind: 'hang', executes: 'never' } },
    {
      on: ['marker', 'find', 'list', 'accounting', 'exit-files', 'read', 'download'],
      fault: { kind: 'slow', delay: 40_000 },
    },
    { on: ['submit', 'upload', 'kill'], fault: { kind: 'slow', delay: whole(1_000, 80_000) } },
    { on: ['find', 'list', 'accounting', 'exit-files'], fault: { kind: 'nothing' } },
    { on: ['find', 'list', 'accounting', 'exit-files'], fault: { kind: 'truncated', share: whole(10, 99) / 100 } },
    // Three such lies in a row, with five minutes between them, would be the grace period after which a job is given up.
    { on: 'list', fault: { kind: 'no-jobs' }, times: 1 },
    { on: 'list', fault: { kind: 'missing', share: 0.5 }, times: 1 },
    { on: 'list', fault: { kind: 'stale', age: whole(5_000, 90_000) } },
    { on: ['find', 'accounting'], fault: { kind: 'no-records' } },
    { on: ['open', 'upload', 'submit', 'list'], fault: { kind: 'back-pressure' } },
    { on: 'open', fault: { kind: 'refused', words: 'Connection refused' } },
    { on: 'open', fault: { kind: 'hang' } },
    { on: ['upload', 'submit'], fault: { kind: 'disk-full' } },
    { on: 'submit', fault: { kind: 'refused', words: oneOf(passing[scheduler] ?? ['no']) } },
    { on: 'job', fault: { kind: 'node-failure', after: whole(0, 20_000) } },
    { on: 'job', fault: { kind: 'requeue', after: whole(0, 20_000) } },
  ];
}
