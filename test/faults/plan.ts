import { type Dialect, type FaultRule, pbsProDialect, seededRandom, slurmDialect } from '../../testing/index.js';

export interface PlannedJob {
  readonly seconds: number;
  readonly exitCode: number;
}

/** Everything that chance decides about one run, from its seed. */
export interface Plan {
  readonly seed: number;
  readonly dialect: Dialect;
  readonly jobs: readonly PlannedJob[];
  readonly maxQueued: number;
  readonly maxChannels: number;
  readonly longestWait: number;
  readonly forgetAfter: number;
  readonly skew: number;
  readonly slots: number;
  /** After how many queries of the store each driver dies; the one after the last lives. */
  readonly deaths: readonly number[];
  readonly faults: readonly FaultRule[];
}

export function planOf(seed: number): Plan {
  const random = seededRandom(seed);
  const whole = (from: number, to: number) => from + Math.floor(random() * (to - from + 1));
  const oneOf = <T>(values: readonly [T, ...T[]]): T => values[whole(0, values.length - 1)] ?? values[0];
  const dialect = oneOf([slurmDialect, pbsProDialect]);
  const plan = {
    seed,
    dialect,
    jobs: Array.from({ length: whole(2, 8) }, () => ({
      seconds: whole(1, oneOf([5, 60, 900])),
      exitCode: oneOf([0, 0, 0, 3]),
    })),
    maxQueued: whole(1, 6),
    maxChannels: oneOf([1, 2, 4]),
    longestWait: oneOf([0, 20_000, 300_000]),
    forgetAfter: oneOf([0, 10_000, 300_000]),
    skew: oneOf([0, 0, -7_000, 7_200_000]),
    slots: oneOf([1, 3, 1000]),
    deaths: Array.from({ length: whole(0, 3) }, () => whole(5, 250)),
    faults: faultRules(random),
  };
  // The history of PBS is all the records it has; it keeps them for days.
  return dialect === pbsProDialect ? { ...plan, forgetAfter: 86_400_000 } : plan;
}

/** Each kind of trouble is there or not, and then happens to some. */
function faultRules(random: () => number): FaultRule[] {
  return troubles.filter(() => random() < 0.3).map((rule) => ({ ...rule, probability: 0.05 + random() * 0.35 }));
}

const troubles: readonly FaultRule[] = [
  { on: ['upload', 'submit', 'marker', 'find', 'list', 'kill', 'download'], fault: { kind: 'lost-before' } },
  { on: ['upload', 'submit', 'download'], fault: { kind: 'lost-after' } },
  { on: 'submit', fault: { kind: 'hang', executes: 'at-once' } },
  { on: 'submit', fault: { kind: 'hang', executes: 'never' } },
  { on: ['submit', 'upload'], fault: { kind: 'hang', executes: 30_000 } },
  { on: ['submit', 'upload'], fault: { kind: 'cut', bytes: 300, of: 'request' } },
  { on: 'submit', fault: { kind: 'cut', bytes: 4, of: 'reply' } },
  { on: ['marker', 'find', 'list', 'accounting', 'exit-files'], fault: { kind: 'hang', executes: 'never' } },
  {
    on: ['marker', 'find', 'list', 'accounting', 'exit-files', 'read', 'download'],
    fault: { kind: 'slow', delay: 40_000 },
  },
  { on: ['find', 'list', 'accounting', 'exit-files'], fault: { kind: 'nothing' } },
  { on: ['find', 'list', 'accounting', 'exit-files'], fault: { kind: 'truncated', share: 0.6 } },
  // Three such lies in a row, with five minutes between them, would be the grace period after which a job is given up.
  { on: 'list', fault: { kind: 'no-jobs' }, times: 1 },
  { on: 'list', fault: { kind: 'missing', share: 0.5 }, times: 1 },
  { on: 'list', fault: { kind: 'stale', age: 45_000 } },
  { on: ['find', 'accounting'], fault: { kind: 'no-records' } },
  { on: ['open', 'upload', 'submit', 'list'], fault: { kind: 'back-pressure' } },
  { on: 'open', fault: { kind: 'refused', words: 'Connection refused' } },
  { on: 'open', fault: { kind: 'hang' } },
  { on: ['upload', 'submit'], fault: { kind: 'disk-full' } },
  { on: 'job', fault: { kind: 'node-failure', after: 3_000 } },
  { on: 'job', fault: { kind: 'requeue', after: 2_000 } },
];
