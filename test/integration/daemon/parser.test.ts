import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openProfile } from '../../../src/engine/profile.js';
import type { ProcessDetails } from '../../../src/engine/views.js';
import { until } from '../../rigs/until.js';
import { type DaemonRig, pidOf, startDaemonRig } from './rig.js';

let rig: DaemonRig;
beforeEach(async () => {
  rig = await startDaemonRig();
});
afterEach(() => rig[Symbol.asyncDispose]());

/** Submits a job whose parser has this text; `here` is the folder of the test. */
async function submit(parser: string): Promise<void> {
  const { wherry } = rig;
  await wherry.write('jobs/count.mjs', `const here = ${JSON.stringify(wherry.folder)};\n${parser}`);
  const job = 'computer: localhost\ncommand: [printf, "a\\nb\\nc\\n"]\nparser: ./count.mjs\n';
  const file = await wherry.write('jobs/job.yaml', job);
  await wherry.succeed(['submit', file]);
}

async function ended(): Promise<ProcessDetails> {
  await rig.wherry.run(['wait', '1', '--timeout', '60s']);
  return JSON.parse(await rig.wherry.succeed(['show', '1', '--json'])) as ProcessDetails;
}

const count = `
import { readFileSync } from 'node:fs';
export default ({ exitStatus, files }) =>
  ({ outputs: { lines: readFileSync(files['stdout.txt'], 'utf8').split('\\n').length - 1, given: exitStatus } });`;

/** Says that it has begun, and computes until the test lets it go; then it counts. */
const busy = `
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
export default ({ files }) => {
  appendFileSync(here + '/begun', 'x');
  while (!existsSync(here + '/gate'));
  return { outputs: { lines: readFileSync(files['stdout.txt'], 'utf8').split('\\n').length - 1 } };
};`;

const begun = async () => (await readFile(path.join(rig.wherry.folder, 'begun'), 'utf8').catch(() => '')).length;

const threads = (pid: number) => readdirSync(`/proc/${pid}/task`).length;

describe('a job with a parser', () => {
  it('ends with the outputs that it returns', async () => {
    await rig.wherry.succeed(['daemon', 'start']);
    await submit(count);
    const details = await ended();
    expect(details).toMatchObject({ state: 'finished', exitStatus: 0, outputs: { exitCode: 0, lines: 3, given: 0 } });
    expect(details.options).toMatchObject({ parser: path.join(rig.wherry.folder, 'jobs/count.mjs') });
  });

  it('is excepted when that throws, with its words', async () => {
    await submit('export default () => { throw new Error("no energy in the output"); };');
    const [process] = await rig.wherry.tickUntilEnded(1);
    expect(process).toMatchObject({
      state: 'excepted',
      exitMessage: expect.stringContaining('no energy in the output'),
    });
  });

  it('is parsed by another worker when the first is killed in the middle, and ends once', async () => {
    const { wherry } = rig;
    await wherry.succeed(['daemon', 'start']);
    await submit(busy);
    await until(async () => (await begun()) > 0, { what: 'the parser', timeout: 60_000 });
    const [worker] = await rig.ready(1);
    process.kill(pidOf(worker), 'SIGKILL');
    await until(async () => (await begun()) === 2, { what: 'the parser of the next worker', timeout: 60_000 });
    await wherry.write('gate', '');
    expect(await ended()).toMatchObject({ state: 'finished', outputs: { lines: 3 } });
    await using profile = await openProfile({ home: wherry.home });
    const events = await profile.store.selectFrom('events').selectAll().where('type', '=', 'process.state').execute();
    const ends = events.filter(({ data }) => (JSON.parse(data) as { to: string }).to === 'finished');
    expect(ends).toHaveLength(1);
  });

  it('keeps its worker from nothing while that computes: it beats on time, runs other jobs, and is killed by a wish', async () => {
    const { wherry } = rig;
    await wherry.succeed(['daemon', 'start']);
    await submit(busy);
    await until(async () => (await begun()) > 0, { what: 'the parser', timeout: 60_000 });
    await wherry.succeed(['submit', '--computer', 'localhost', '--', 'echo', 'meanwhile']);
    await wherry.succeed(['wait', '2', '--timeout', '60s']);
    const [worker] = (await rig.status()).workers;
    const pid = pidOf(worker);
    const computing = threads(pid);
    expect(Date.now() - Date.parse(worker?.heartbeatAt ?? '')).toBeLessThan(5_000);
    await wherry.succeed(['kill', '1', '--timeout', '60s']);
    expect(await ended()).toMatchObject({ state: 'killed' });
    await until(() => threads(pid) < computing, { what: 'the end of the computation', timeout: 30_000 });
    expect(pidOf((await rig.status()).workers[0])).toBe(pid);
  });
});
