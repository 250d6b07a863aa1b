import { type Dialect, type FaultRule, seededRandom, slurmDialect } from '../../testing/index.js';

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

const dialects = [slurmDialect];

export function planOf(seed: number): Plan {
  const random = seededRandom(seed);
  const whole = (from: number, to: number) => from + Math.floor(random() * (to - from + 1));
  const oneOf = <T>(values: readonly [T, ...T[]]): T => values[whole(0, values.length - 1)] ?? values[0];
  const [first, ...others] = dialects;
  return {
    seed,
    dialect: first === undefined ? slurmDialect : oneOf([first, ...others]),
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
}

/** Each kind of trouble is there or not, and then happens to some. */
function faultRules(random: () => number): FaultRule[] {
  const rules: FaultRule[] = [];
  return rules.filter(() => random() < 0.35);
}
