import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { until } from '../../rigs/until.js';
import { type DaemonRig, startDaemonRig } from '../daemon/rig.js';

let rig: DaemonRig;
let pid: number | null | undefined;
beforeEach(async () => {
  rig = await startDaemonRig();
  await mkdir(rig.directory, { recursive: true });
  const module = path.join(rig.directory, 'trouble.ts');
  await writeFile(module, trouble);
  await writeFile(path.join(rig.directory, 'profile.yaml'), JSON.stringify({ modules: [module] }));
  await rig.wherry.write('submit.ts', submitting(module));
  await rig.wherry.succeed(['daemon', 'start', '--workers', '1']);
  pid = (await rig.ready(1))[0]?.pid;
});
afterEach(() => rig[Symbol.asyncDispose]());

const trouble = `
import { AsyncResource } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { calcfunction, defineWorkflow, z } from 'wherry';
const workflow = (name, run) => defineWorkflow({ name, inputs: z.object({}), outputs: z.object({}), run });

export const addOne = calcfunction('add-one', (x: number) => x + 1);
export const Hangs = workflow('hangs', async () => {
  for (;;);
});
export const Throws = workflow('throws', async (ctx) => {
  setTimeout(() => {
    throw new Error('thrown in a timer');
  }, 1);
  await ctx.sleep(3_600_000);
  return {};
});
export const Exits = workflow('exits', async () => process.exit(7));
export const Forgets = workflow('forgets', async (ctx) => {
  void Promise.resolve().then(() => {
    throw new Error('failed and forgotten');
  });
  await ctx.sleep(1);
  return {};
});
// Outside of all processes, so nobody knows whose fault it is.
const mark = new URL('thrown', import.meta.url);
export const ThrowsOnce = workflow('throws-once', async (ctx) => {
  if (!existsSync(mark)) outside.emit('throw');
  await ctx.sleep(10);
  return {};
});
const outside = new EventEmitter();
const beyond = new AsyncResource('beyond');
outside.on('throw', () => beyond.runInAsyncScope(() => setTimeout(() => {
  writeFileSync(mark, '');
  throw new Error('thrown by nobody');
}, 1)));
`;

const submitting = (module: string) => `
import { submit } from 'wherry';
import * as definitions from '${module}';
for (const name of process.argv.slice(2)) {
  const { id } = await submit(definitions[name], name === 'addOne' ? { x: 1 } : {});
  console.log(id);
}
`;

async function submit(...names: string[]): Promise<string[]> {
  return (await rig.wherry.succeed(['run', 'submit.ts', '--', ...names])).trim().split('\n');
}

/** The worker is the one that was there at the beginning. */
async function expectSameWorker(): Promise<void> {
  const [worker] = await rig.ready(1);
  expect(worker).toMatchObject({ pid, restarts: 0 });
}

it('code that does not return holds up neither jobs nor the worker, and can be killed', {
  timeout: 180_000,
}, async () => {
  const [hanging = ''] = await submit('Hangs');
  const stateOf = async (id: string) => (await rig.wherry.list()).find((process) => String(process.id) === id)?.state;
  await until(async () => (await stateOf(hanging)) === 'running', { what: 'the loop', timeout: 30_000 });
  await rig.wherry.succeed(['run', '--computer', 'localhost', '--', 'true']);
  await rig.wherry.succeed(['kill', hanging, '--timeout', '120s']);
  expect(await stateOf(hanging)).toBe('killed');
  const [next = ''] = await submit('addOne');
  await rig.wherry.succeed(['wait', next, '--timeout', '60s']);
  expect(await rig.wherry.succeed(['daemon', 'logs'])).toContain(`probably one of these: ${hanging} (hangs)`);
  await expectSameWorker();
});

it('code that fails where nobody waits for it fails alone', async () => {
  const [throwing = '', exiting = '', forgetting = '', adding = ''] = await submit(
    'Throws',
    'Exits',
    'Forgets',
    'addOne',
  );
  await rig.wherry.run(['wait', throwing, exiting, forgetting, adding, '--timeout', '60s']);
  const processes = new Map((await rig.wherry.list()).map((process) => [String(process.id), process]));
  expect(processes.get(throwing)).toMatchObject({ state: 'excepted', exitMessage: 'thrown in a timer' });
  expect(processes.get(exiting)).toMatchObject({
    state: 'excepted',
    exitMessage: 'it called process.exit(7), which ends nothing here',
  });
  expect(processes.get(forgetting)).toMatchObject({ state: 'finished', exitStatus: 0 });
  expect(processes.get(adding)).toMatchObject({ state: 'finished', exitStatus: 0 });
  const logs = await rig.wherry.succeed(['daemon', 'logs']);
  expect(logs).toContain(
    `the code of process ${forgetting} (forgets) failed, and nothing waits for it: failed and forgotten`,
  );
  await expectSameWorker();
});

it('a thread that ends begins again, and goes on with what it did', async () => {
  const [throwing = ''] = await submit('ThrowsOnce');
  await rig.wherry.succeed(['wait', throwing, '--timeout', '60s']);
  expect(await rig.wherry.succeed(['daemon', 'logs'])).toContain('runs code of processes has ended: ');
  await expectSameWorker();
});
