import {
  type Dialect,
  directDialect,
  type FaultRule,
  pbsProDialect,
  seededRandom,
  slurmDialect,
} from '../../testing/index.js';
import type { Fate } from './life.js';
import { refusals, troubles } from './troubles.js';

export interface PlannedJob {
  readonly seconds: number;
  readonly exitCode: number;
  /** Seconds after which the scheduler ends it. */
  readonly walltime?: number | undefined;
  /** How many licences it takes. */
  readonly licences?: number;
  /** What comes out where the scheduler refuses it for good. */
  readonly refused?: { readonly words: string; readonly status: number } | undefined;
}

/** A driver that lives on, and what becomes of it: after each death another one begins in its place. */
export interface PlannedDriver {
  readonly name: string;
  /** Milliseconds after the beginning. */
  readonly begins: number;
  /** A worker drives until everything has ended; a pass does what is due every so many milliseconds. */
  readonly passEvery?: number | undefined;
  readonly fates: readonly Fate[];
  /** Most milliseconds between two steps. */
  readonly heartbeat: number;
}

/** Something that a person does to a process. */
export interface PlannedAct {
  /** Milliseconds after the beginning. */
  readonly at: number;
  readonly kind: 'kill' | 'pause' | 'play';
  /** Which of the jobs. */
  readonly job: number;
}

/** Something that a person does to the computer; somebody enables it again after a while. */
export interface PlannedPause {
  readonly at: number;
  readonly kind: 'drain' | 'disable';
  readonly lasts: number;
}

/** Jobs of the same user that Wherry has not submitted. */
export interface PlannedForeignJob {
  readonly at: number;
  readonly lasts: number;
}

/** Everything that chance decides about one run, from its seed. Times in milliseconds where nothing else is said. */
export interface Plan {
  readonly seed: number;
  readonly dialect: Dialect;
  readonly jobs: readonly PlannedJob[];
  readonly drivers: readonly PlannedDriver[];
  readonly acts: readonly PlannedAct[];
  readonly foreign: readonly PlannedForeignJob[];
  readonly pauses: readonly PlannedPause[];
  readonly maxQueued: number;
  readonly maxRunning: number | undefined;
  readonly countForeignJobs: boolean;
  readonly licences: number | undefined;
  readonly maxChannels: number;
  readonly submitPerMinute: number | undefined;
  readonly safeOpenInterval: number;
  readonly minPollInterval: number;
  /** What the site lets the user have in its queue. */
  readonly maxSubmitted: number;
  readonly longestWait: number;
  readonly forgetAfter: number;
  readonly skew: number;
  readonly slots: number;
  readonly faults: readonly FaultRule[];
}

/** One driver, one job, and nothing goes wrong: tests add what they are about. */
export const calm: Plan = {
  seed: 1,
  dialect: slurmDialect,
  jobs: [{ seconds: 30, exitCode: 0 }],
  drivers: [{ name: 'worker', begins: 0, fates: [], heartbeat: 50_000 }],
  acts: [],
  foreign: [],
  pauses: [],
  maxQueued: 10,
  maxRunning: undefined,
  countForeignJobs: false,
  licences: undefined,
  maxChannels: 4,
  submitPerMinute: undefined,
  safeOpenInterval: 0,
  minPollInterval: 30_000,
  maxSubmitted: Number.POSITIVE_INFINITY,
  longestWait: 20_000,
  forgetAfter: 300_000,
  skew: 0,
  slots: 1000,
  faults: [],
};

/** How chance is asked. */
export interface Dice {
  readonly random: () => number;
  whole(from: number, to: number): number;
  oneOf<T>(values: readonly [T, ...T[]]): T;
  /** True so often, from 0 to 1. */
  chance(share: number): boolean;
}

export function diceOf(random: () => number): Dice {
  const whole = (from: number, to: number) => from + Math.floor(random() * (to - from + 1));
  return {
    random,
    whole,
    oneOf: (values) => values[whole(0, values.length - 1)] ?? values[0],
    chance: (share) => random() < share,
  };
}

/** The plan of a seed: always the same. */
export function planOf(seed: number): Plan {
  const dice = diceOf(seededRandom(seed));
  const { whole, oneOf, chance } = dice;
  const dialect = oneOf([slurmDialect, slurmDialect, pbsProDialect, pbsProDialect, directDialect]);
  const jobs = Array.from({ length: whole(1, oneOf([4, 8])) }, () => jobOf(dialect, dice));
  const refused = jobs.flatMap(({ refused: refusal }, index): FaultRule[] =>
    refusal === undefined
      ? []
      : [{ on: 'submit', subject: `wherry-${index + 1}`, fault: { kind: 'refused', words: refusal.words } }],
  );
  return {
    seed,
    dialect,
    jobs,
    drivers: driversOf(dice),
    acts: chance(0.5) ? actsOf(dice, jobs.length) : [],
    foreign: chance(0.3)
      ? Array.from({ length: whole(1, 4) }, () => ({ at: whole(0, 200_000), lasts: whole(10_000, 400_000) }))
      : [],
    pauses: chance(0.2)
      ? [{ at: whole(0, 300_000), kind: oneOf(['drain', 'disable'] as const), lasts: whole(10_000, 600_000) }]
      : [],
    maxQueued: whole(1, 6),
    maxRunning: oneOf([undefined, undefined, 1, 3]),
    countForeignJobs: chance(0.3),
    licences: oneOf([undefined, undefined, 2, 3]),
    maxChannels: oneOf([1, 2, 4]),
    submitPerMinute: oneOf([undefined, undefined, 1, 3, 20]),
    safeOpenInterval: oneOf([0, 0, 5_000, 30_000]),
    minPollInterval: oneOf([15_000, 30_000, 60_000]),
    maxSubmitted: oneOf([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 2, 5]),
    longestWait: oneOf([0, 20_000, 200_000]),
    // What PBS keeps in its history and the direct queue in its files is all that they know.
    forgetAfter: dialect === slurmDialect ? oneOf([0, 10_000, 300_000]) : 86_400_000,
    skew: oneOf([0, 0, -7_000, 7_200_000]),
    slots: oneOf([1, 3, 1000]),
    faults: [...refused, ...faultRules(dialect, dice)],
  };
}

function jobOf(dialect: Dialect, { whole, oneOf, chance }: Dice): PlannedJob {
  const seconds = whole(1, oneOf([5, 60, 400]));
  const words = refusals[dialect.name];
  return {
    seconds,
    exitCode: oneOf([0, 0, 0, 3]),
    walltime: chance(0.2) ? whole(5, 600) : undefined,
    licences: whole(0, 2),
    refused: words !== undefined && chance(0.05) ? oneOf([words.permanent, words.account]) : undefined,
  };
}

function driversOf({ whole, oneOf, chance }: Dice): PlannedDriver[] {
  const fate = (): Fate =>
    chance(0.8)
      ? { kind: 'dies', afterQueries: whole(5, 250) }
      : { kind: 'dies', afterTime: whole(100, oneOf([5_000, 300_000])) };
  const freeze = (): Fate => ({
    kind: 'freezes',
    ...(chance(0.7) ? { afterQueries: whole(5, 200) } : { afterTime: whole(100, 100_000) }),
    // The lease lasts two minutes.
    lasts: oneOf([whole(1_000, 100_000), whole(119_000, 126_000), whole(120_000, 300_000)]),
  });
  const fates = () => [...Array.from({ length: whole(0, 3) }, fate), ...(chance(0.25) ? [freeze()] : [])];
  // Shorter than a lease lasts.
  const heartbeat = () => whole(15_000, 60_000);
  const worker = { name: 'worker', begins: 0, fates: fates(), heartbeat: heartbeat() };
  const others: PlannedDriver[] = [];
  if (chance(0.3)) others.push({ name: 'second', begins: whole(0, 60_000), fates: fates(), heartbeat: heartbeat() });
  if (chance(0.3)) {
    others.push({
      name: 'cron',
      begins: whole(0, 60_000),
      passEvery: whole(2, 10) * 30_000,
      fates: fates(),
      heartbeat: heartbeat(),
    });
  }
  return [worker, ...others];
}

function actsOf({ whole, oneOf }: Dice, jobs: number): PlannedAct[] {
  return Array.from({ length: whole(1, 5) }, () => ({
    at: whole(0, oneOf([3_000, 60_000, 600_000])),
    kind: oneOf(['kill', 'kill', 'pause', 'play'] as const),
    job: whole(0, jobs - 1),
  })).sort((one, other) => one.at - other.at);
}

/** Each kind of trouble is there or not, and then happens to some. */
function faultRules(dialect: Dialect, dice: Dice): FaultRule[] {
  const { random, chance } = dice;
  return troubles(dialect.name, dice)
    .filter(() => chance(0.25))
    .map((rule) => ({ ...rule, probability: 0.05 + random() * 0.35 }));
}
