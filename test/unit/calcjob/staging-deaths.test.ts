import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CalcJobContext, writeState } from '../../../src/calcjob/context.js';
import { gather } from '../../../src/calcjob/gather.js';
import { jobDirectory } from '../../../src/calcjob/job-directory.js';
import { stash } from '../../../src/calcjob/stash.js';
import { upload } from '../../../src/calcjob/upload.js';
import type { JobInput } from '../../../src/config/job.js';
import { WherryError } from '../../../src/errors.js';
import type { ExecOptions } from '../../../src/plugin/transport.js';
import type { Transition } from '../../../src/process/transition.js';
import type { ProcessRow } from '../../../src/store/tables.js';
import { until } from '../../rigs/until.js';
import { filesBelow, type VerbRig, verbRig } from './verb-rig.js';

let rig: VerbRig;
beforeEach(async () => {
  rig = await verbRig();
});
afterEach(() => rig[Symbol.asyncDispose]());

const changing = ['cp', 'mv', 'mkdir', 'rm', 'ln', 'tar'];

/**
 * Does a verb again and again on the same process. Each time the script that works for long dies just before another
 * of its commands that change something, and then it is done as if nothing had been.
 * @returns how many deaths there were
 */
async function dieEverywhere(
  create: () => Promise<ProcessRow>,
  verb: (context: CalcJobContext) => Promise<Transition>,
  check: (row: ProcessRow) => Promise<void>,
): Promise<number> {
  for (let deaths = 0; deaths < 100; deaths++) {
    const row = await create();
    const context = rig.context(row);
    let died = false;
    const exec = async (script: string, options: ExecOptions) => {
      if (!script.includes('growth=')) return rig.connection.exec(script, options);
      const count = `count=0; step() { count=$((count + 1)); [ $count -le ${deaths} ] || { kill $growth 2>/dev/null || :; kill -9 $$; exit 9; }; }`;
      const steps = changing.map((name) => `${name}() { step; command ${name} "$@"; }`);
      const result = await rig.connection.exec([count, ...steps, script].join('\n'), options);
      died = result.signal === 'SIGKILL';
      if (died) throw new WherryError('connection-lost', 'it died', { transient: true });
      return result;
    };
    const first = verb({ ...context, connection: { ...context.connection, exec } });
    await first.catch((error: unknown) => expect(error).toMatchObject({ code: 'connection-lost' }));
    await verb(context);
    await check(row);
    if (!died) return deaths;
  }
  throw new Error('it died a hundred times');
}

describe('a script that dies before any of its commands', () => {
  it('and gathers files is completed by the next', { timeout: 60_000 }, async () => {
    const old = await rig.write('old', { 'a.dat': 'a', 'out/x': 'x', 'out/deep/y': 'y' });
    const kept = await rig.write('kept', { 'z/z.dat': 'z' });
    const job: Partial<JobInput> = {
      unstash: { from: kept, into: 'in' },
      remoteCopy: [{ from: `${old}/out`, to: 'in' }, { from: `${old}/*.dat` }, { from: `${old}/a.dat`, to: 'in/x' }],
      remoteSymlink: [{ from: `${old}/out`, to: 'in/link' }],
    };
    const deaths = await dieEverywhere(
      async () => {
        const row = await rig.create(job);
        return rig.carryOut(row, await upload(rig.context(row)));
      },
      gather,
      async (row) => {
        const directory = jobDirectory(path.join(rig.place, 'work'), row.uuid);
        const { '.wherry/upload': _, ...files } = await filesBelow(directory);
        expect(files).toEqual({
          ...{ 'a.dat': 'a', 'in/x': 'a', 'in/deep/y': 'y', 'in/z/z.dat': 'z', '.wherry/staged': '' },
        });
        expect((await readdir(path.join(directory, 'in'))).sort()).toEqual(['deep', 'link', 'x', 'z']);
        expect(await readdir(path.join(directory, '.wherry'))).not.toContain('staging');
      },
    );
    expect(deaths).toBeGreaterThan(12);
    expect(await filesBelow(old)).toEqual({ 'a.dat': 'a', 'out/x': 'x', 'out/deep/y': 'y' });
  });

  it.each(['copy', 'tar.gz'] as const)(
    'and stashes files by %s is completed by the next',
    { timeout: 60_000 },
    async (mode) => {
      const remote_directory = await rig.write('job', { 'out/x': 'x', 'out/deep/y': 'y' });
      const to = path.join(rig.place, 'kept');
      const checkpoint = writeState({ stash: 'wanted' });
      const columns = { state: 'waiting', stage: 'stash', remote_directory, checkpoint };
      const deaths = await dieEverywhere(
        () => rig.create({ stash: { to, files: ['out/*'], mode } }, [], columns),
        stash,
        async (row) => {
          const target = jobDirectory(to, row.uuid);
          expect(await readdir(path.dirname(target))).toEqual([path.basename(target)]);
          if (mode === 'copy') expect(await filesBelow(target)).toEqual({ 'out/x': 'x', 'out/deep/y': 'y' });
          else expect(await readdir(target)).toEqual(['stash.tar.gz']);
        },
      );
      expect(deaths).toBeGreaterThan(3);
      expect(await filesBelow(remote_directory)).toEqual({ 'out/x': 'x', 'out/deep/y': 'y' });
    },
  );
});

describe('a script that was given up and goes on', () => {
  /** Two scripts of one verb at once: the first waits before its first copy, the second before it ends. */
  async function overtake(row: ProcessRow, verb: (context: CalcJobContext) => Promise<Transition>) {
    const context = rig.context(row);
    const held = (name: string, gate: string) => {
      const exec = async (script: string, options: ExecOptions) => {
        if (!script.includes('growth=')) return rig.connection.exec(script, options);
        const file = path.join(rig.place, gate);
        const wait = `: > ${file}.reached; until [ -e ${file} ]; do sleep 0.02; done`;
        return rig.connection.exec(`${name}() { ${wait}; command ${name} "$@"; }\n${script}`, options);
      };
      return verb({ ...context, connection: { ...context.connection, exec } });
    };
    const reached = (gate: string) =>
      until(async () => (await readdir(rig.place)).includes(`${gate}.reached`), { what: `the gate ${gate}` });
    const first = held('cp', 'one').catch((error: unknown) => error);
    await reached('one');
    const second = held('mv', 'two');
    await reached('two');
    await rig.write('.', { one: '' });
    const outcome = await first;
    await rig.write('.', { two: '' });
    await second;
    return outcome;
  }

  it('stashes nothing, and takes nothing away from the one that came later', async () => {
    const remote_directory = await rig.write('job', { 'out/x': 'x', 'out/deep/y': 'y' });
    const to = path.join(rig.place, 'kept');
    const columns = { state: 'waiting', stage: 'stash', remote_directory, checkpoint: writeState({ stash: 'wanted' }) };
    const row = await rig.create({ stash: { to, files: ['out/x', 'out/deep'] } }, [], columns);
    const outcome = (await overtake(row, stash)) as Transition;
    expect(JSON.parse(outcome.changes?.checkpoint ?? '').data.stash).toHaveProperty('failure');
    const root = path.relative(to, jobDirectory(to, row.uuid));
    expect(await filesBelow(to)).toEqual({ [`${root}/out/x`]: 'x', [`${root}/out/deep/y`]: 'y' });
  });

  it('gathers nothing', async () => {
    const old = await rig.write('old', { 'a.dat': 'a', 'out/x': 'x' });
    const created = await rig.create({ remoteCopy: [{ from: `${old}/a.dat` }, { from: `${old}/out` }] });
    const row = await rig.carryOut(created, await upload(rig.context(created)));
    expect(await overtake(row, gather)).toMatchObject({ name: 'CommandError' });
    const { '.wherry/upload': _, ...files } = await filesBelow(jobDirectory(path.join(rig.place, 'work'), row.uuid));
    expect(files).toEqual({ 'a.dat': 'a', 'out/x': 'x', '.wherry/staged': '' });
  });
});
