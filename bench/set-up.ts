import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { execute } from '../test/rigs/command.js';

/** What the figures of a run hang on. */
export type SetUp = Readonly<Record<string, string>>;

/** Versions of everything that takes part, the machine, and how much else it had to do: a busy one gives bad figures. */
export async function describeSetUp(): Promise<SetUp> {
  return {
    node: process.version,
    OpenSSH: await firstLine(['ssh', '-V'], /OpenSSH_\S+/),
    Slurm: await firstLine(['slurmctld', '-V'], /(?<=slurm\S* )[\d.]+/),
    rsync: await firstLine(['rsync', '--version'], /(?<=version )[\d.]+/),
    cores: `${availableParallelism()} (${cpus()[0]?.model.trim() ?? 'unknown'})`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    'load before': (loadavg()[0] ?? 0).toFixed(1),
    'speed before': `${(additions() / 1e9).toFixed(2)} billion additions a second`,
  };
}

async function firstLine(words: readonly string[], version: RegExp): Promise<string> {
  try {
    const { stdout, stderr } = await execute(words);
    return version.exec(stdout + stderr)?.[0] ?? 'unknown';
  } catch {
    // A peer that is not installed is a part of the set-up too.
    return 'not installed';
  }
}

/** What the processor gives us at this moment: a virtual one that is shared with others can be many times slower. */
function additions(): number {
  const count = 2e8;
  const began = performance.now();
  let sum = 0;
  for (let index = 0; index < count; index++) sum = (sum + index) | 0;
  return sum === 1 ? 0 : (count / (performance.now() - began)) * 1000;
}
