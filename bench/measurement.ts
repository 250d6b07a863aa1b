/** One line of a result: what was measured, all its samples, and the goal it is held to. */
export interface Figure {
  readonly label: string;
  readonly unit: 's' | 'ms' | 'µs' | 'MB/s' | 'jobs/s' | 'tasks/s' | 'MB' | 'x' | 'number';
  /** In the order in which they were taken. */
  readonly samples: readonly number[];
  readonly goal?: Goal;
}

export interface Goal {
  readonly kind: 'at most' | 'at least' | 'exactly';
  readonly value: number;
}

export interface Result {
  /** What is special about this measurement's set-up: round trip, number of runs, what is counted. */
  readonly setUp: readonly string[];
  readonly figures: readonly Figure[];
}

/** One file of `bench/` measures one thing. */
export interface Measurement {
  /** Word for the command line. */
  readonly name: string;
  readonly title: string;
  run(): Promise<Result>;
}

/** The middle one of the samples; of an even number, the mean of the two in the middle. */
export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((one, other) => one - other);
  const [lower, upper] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.ceil((sorted.length - 1) / 2)]];
  if (lower === undefined || upper === undefined) throw new Error('there is no median of nothing');
  return (lower + upper) / 2;
}

/** Is the goal met by the median? Undefined without a goal. */
export function isMet({ goal, samples }: Figure): boolean | undefined {
  if (goal === undefined) return undefined;
  const value = median(samples);
  if (goal.kind === 'exactly') return value === goal.value;
  return goal.kind === 'at most' ? value <= goal.value : value >= goal.value;
}

/** Runs alternatives in turn (A B A B …), so that a slow moment of the machine hits all of them. */
export async function interleaved<Name extends string>(
  rounds: number,
  alternatives: Readonly<Record<Name, (round: number) => Promise<number>>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(alternatives) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, number[]>;
  for (let round = 0; round < rounds; round++) {
    for (const name of names) samples[name].push(await alternatives[name](round));
  }
  return samples;
}

/** Element by element: how many times `samples` is of `peer`. */
export function ratios(samples: readonly number[], peer: readonly number[]): number[] {
  return samples.map((sample, index) => sample / (peer[index] ?? Number.NaN));
}

/** Seconds that `work` takes. */
export async function seconds(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}
