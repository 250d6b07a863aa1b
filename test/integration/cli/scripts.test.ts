import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CommandLine, startCommandLine } from '../../rigs/command-line.js';

let wherry: CommandLine;
beforeEach(async () => {
  wherry = await startCommandLine();
});
afterEach(() => wherry[Symbol.asyncDispose]());

const definitions = `
import { calcfunction, defineWorkflow, run, z } from 'wherry';
const Sleeps = defineWorkflow({
  name: 'scripts.sleeps',
  inputs: z.object({ milliseconds: z.number() }),
  outputs: z.object({}),
  async run(ctx, { milliseconds }) {
    if (milliseconds < 0) throw new RangeError('no time is negative');
    await ctx.sleep(milliseconds);
    return {};
  },
});
`;
const states = async () => (await wherry.list()).map(({ state }) => state);

describe('a script', () => {
  it('is over when what it called has ended, also where it forgot to wait', async () => {
    await wherry.write('script.ts', `${definitions}\nrun(Sleeps, { milliseconds: 300 });\nconsole.log('at its end');`);
    const { exitCode, text, stderr } = await wherry.run(['run', 'script.ts']);
    expect([exitCode, text, stderr]).toEqual([0, 'at its end\n', '']);
    expect(await states()).toEqual(['finished']);
  });

  it('that fails ends what it has called, and tells its own failure alone', async () => {
    const fails =
      'run(Sleeps, { milliseconds: 3_600_000 });\nawait run(Sleeps, { milliseconds: 0 });\nthrow new RangeError("no luck");';
    await wherry.write('script.ts', `${definitions}\n${fails}`);
    const { exitCode, stderr } = await wherry.run(['run', 'script.ts']);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /^wherry: the script script\.ts failed: no luck \(at .*script\.ts:16:7\)\n {2}→ mend the script\n$/,
    );
    expect((await states()).sort()).toEqual(['finished', 'killed']);
  });

  it('fails by an error that nobody catches', async () => {
    const fails = 'run(Sleeps, { milliseconds: -1 });\nawait run(Sleeps, { milliseconds: 3_600_000 });';
    await wherry.write('script.ts', `${definitions}\n${fails}`);
    const { exitCode, stderr } = await wherry.run(['run', 'script.ts']);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^wherry: process \d \(scripts\.sleeps\) is excepted: no time is negative\n {2}→ .*\n$/);
    const processes = await wherry.list();
    expect(processes.map(({ state }) => state).sort()).toEqual(['excepted', 'killed']);
    const id = String(processes.find(({ state }) => state === 'excepted')?.id);
    expect(await wherry.succeed(['report', id])).toMatch(/no time is negative \(at .*script\.ts:8:33\)\n$/);
    expect(await wherry.succeed(['show', id])).toMatch(/^thrown at: +.*script\.ts:8:33$/m);
  });
});
