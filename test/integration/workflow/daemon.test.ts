import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ProcessDetails } from '../../../src/engine/views.js';
import { seenInThree } from '../../rigs/stack.js';
import { until } from '../../rigs/until.js';
import { type DaemonRig, startDaemonRig } from '../daemon/rig.js';

const examples = fileURLToPath(new URL('../../../examples/', import.meta.url));
const names = ['arithmetic.ts', 'nested-workflow.ts', 'add-on-computer.ts', 'stack.ts'];
const modules = names.map((name) => path.join(examples, name));

let rig: DaemonRig;
beforeEach(async () => {
  rig = await startDaemonRig();
  await mkdir(rig.directory, { recursive: true });
  await writeFile(path.join(rig.directory, 'profile.yaml'), JSON.stringify({ modules }));
});
afterEach(() => rig[Symbol.asyncDispose]());

const script = `
import { submit, wait } from 'wherry';
import { addAndMultiply } from '${examples}arithmetic.ts';
import { NestedWorkflow } from '${examples}nested-workflow.ts';
import { Chain } from '${examples}add-on-computer.ts';
import { Outermost } from '${examples}stack.ts';

const submitted = [
  await submit(addAndMultiply, { x: 1, y: 2, z: 3 }),
  await submit(Chain, { n: 3 }),
  await submit(Outermost, { tags: ['a', 'b', 'c'] }),
];
for (const n of [0, 1, 50, 200]) submitted.push(await submit(NestedWorkflow, { n }));
console.error('submitted');
const ended = await Promise.all(submitted.map((one) => wait(one)));
console.log(JSON.stringify(ended.map(({ outputs }) => outputs)));
`;

it('runs workflows, functions and calcjobs like a program, also when a worker dies meanwhile', async () => {
  await rig.wherry.succeed(['daemon', 'start', '--workers', '2']);
  const [first] = await rig.ready(2);
  await rig.wherry.write('study.ts', script);
  const printed = rig.wherry.succeed(['run', 'study.ts'], {
    onStderr: (text) => {
      if (text.includes('submitted') && typeof first?.pid === 'number') process.kill(first.pid, 'SIGKILL');
    },
  });
  const depths = [0, 1, 50, 200].map((depth) => ({ depth }));
  expect(JSON.parse(await printed)).toEqual([{ product: 9, sum: 3 }, { total: 3 }, seenInThree, ...depths]);
  const processes = await rig.wherry.list();
  expect(processes).toHaveLength(3 + 4 + 13 + (1 + 2 + 51 + 201));
  expect(processes.every(({ state, exitStatus }) => state === 'finished' && exitStatus === 0)).toBe(true);
});

it('goes on with what a program has left, as far as workers know how', async () => {
  await rig.wherry.write(
    'own.ts',
    `
import { defineWorkflow, run, z } from 'wherry';
import { NestedWorkflow } from '${examples}nested-workflow.ts';
const Own = defineWorkflow({
  name: 'own.waits', inputs: z.object({}), outputs: z.object({}),
  async run(ctx) { await ctx.sleep(3_600_000); return {}; },
});
await Promise.all([run(Own, {}), run(NestedWorkflow, { n: 200 })]);
`,
  );
  const run = rig.wherry.run(['run', 'own.ts'], { onStderr: () => undefined });
  const children = async () => (await rig.wherry.list()).length;
  await until(async () => (await children()) > 5, { what: 'some processes', timeout: 60_000 });
  const { pid } = JSON.parse(await rig.wherry.succeed(['explain', '1', '--json'])).driver as { readonly pid: number };
  process.kill(pid, 'SIGKILL');
  expect((await run).signal).toBe('SIGKILL');
  await rig.wherry.succeed(['daemon', 'start', '--workers', '1']);
  await rig.wherry.run(['wait', '1', '2', '--timeout', '60s']);
  const both = await Promise.all(
    [1, 2].map(async (id) => JSON.parse(await rig.wherry.succeed(['show', String(id), '--json'])) as ProcessDetails),
  );
  // Begun at the same time, they have come in either order.
  const [nested, own] = both.sort((one, other) => (one.name < other.name ? -1 : 1));
  expect(own).toMatchObject({ name: 'own.waits', state: 'excepted', exception: { code: 'program-ended' } });
  expect(nested).toMatchObject({ name: 'nested-workflow', state: 'finished', data: { outputs: [{ value: 200 }] } });
});

it('is killed with everything that runs in it when it is interrupted', async () => {
  await rig.wherry.write(
    'long.ts',
    `
import { run } from 'wherry';
import { defineWorkflow, z } from 'wherry';
const Long = defineWorkflow({
  name: 'long.waits', inputs: z.object({ n: z.number() }), outputs: z.object({}),
  async run(ctx, { n }): Promise<Record<never, never>> {
    if (n > 0) return ctx.run(Long, { n: n - 1 });
    console.error('deep enough');
    await ctx.sleep(3_600_000);
    return {};
  },
});
await run(Long, { n: 3 });
`,
  );
  let interrupted = false;
  const { exitCode, stderr } = await rig.wherry.run(['run', 'long.ts'], {
    onStderr: (text, kill) => {
      if (interrupted || !text.includes('deep enough')) return;
      interrupted = true;
      kill('SIGINT');
    },
  });
  expect(exitCode).toBe(1);
  expect(stderr).toContain('interrupted; 4 processes were killed');
  expect((await rig.wherry.list()).map(({ state }) => state)).toEqual(['killed', 'killed', 'killed', 'killed']);
});

it('is driven by passes of cron as well', async () => {
  await rig.wherry.write(
    'two.ts',
    `
import { submit } from 'wherry';
import { addAndMultiply } from '${examples}arithmetic.ts';
import { NestedWorkflow } from '${examples}nested-workflow.ts';
await submit(addAndMultiply, { x: 1, y: 2, z: 3 });
await submit(NestedWorkflow, { n: 5 });
`,
  );
  await rig.wherry.succeed(['run', 'two.ts']);
  const { left, finished } = JSON.parse(await rig.wherry.succeed(['tick', '--json']));
  expect({ left, finished }).toEqual({ left: 0, finished: 3 + 6 });
});
