import { createHash } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AddOnComputer } from '../../../examples/add-on-computer.js';
import { Runner, run } from '../../../src/engine/control/runner.js';
import { submitJob } from '../../../src/engine/submit-job.js';
import { getProcess } from '../../../src/engine/views.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';

let rig: TestProfile;
beforeAll(async () => {
  rig = await startProfile();
});
afterAll(() => rig?.[Symbol.asyncDispose]());

const write = async (name: string, text: string) => {
  await writeFile(path.join(rig.directory, name), text);
  return `./${name}`;
};

/** Submits jobs and drives them to their ends. */
async function ended(...jobs: Parameters<typeof submitJob>[1][]) {
  const rows = [];
  for (const job of jobs) {
    const { id } = await submitJob(rig.profile, job, { baseDirectory: rig.directory });
    rows.push(await rig.row(id));
  }
  await rig.drive(rows);
  return Promise.all(rows.map(({ id }) => getProcess(rig.profile, id)));
}
type Ended = Awaited<ReturnType<typeof ended>>[number];
const stagesOf = ({ timings }: Ended) => timings.map(({ stage }) => stage);

describe('files that stay on the computer', () => {
  let first: Ended;
  beforeAll(async () => {
    const parser = await write(
      'size.mjs',
      `import { statSync } from 'node:fs';
       export default ({ temporaryFiles }) => ({ outputs: { bytes: statSync(temporaryFiles['wave.dat']).size } });`,
    );
    const script = 'echo density > charge.dat; mkdir out; echo data > out/x.dat; head -c 100000 /dev/zero > wave.dat';
    const stash = { to: path.join(rig.directory, 'kept'), files: ['out'], mode: 'tar.gz' as const };
    [first] = (await ended({ command: ['sh', '-c', script], stash, parser, retrieveTemporary: ['wave.dat'] })) as [
      Ended,
    ];
  });

  it('are stashed between the end of the job and the retrieval', () => {
    expect(first).toMatchObject({ exitStatus: 0, outputs: { bytes: 100_000, stash: { mode: 'tar.gz', missing: [] } } });
    expect(stagesOf(first)).toEqual(['upload', 'submit', 'update', 'stash', 'retrieve', 'parse']);
    expect(first.outputs?.files.map((file) => file.path)).not.toContain('wave.dat');
  });

  it('are taken by other jobs, or are a reason to end; and a run of others is imported', async () => {
    const cat = { command: ['cat', 'charge.dat', 'back/out/x.dat', 'link/charge.dat'] };
    const [good, bad, imported] = (await ended(
      {
        ...cat,
        remoteCopy: [{ from: { process: first.id, path: 'charge.dat' } }],
        remoteSymlink: [{ from: first.remoteDirectory ?? '', to: 'link' }],
        unstash: { from: first.id, into: 'back' },
      },
      { ...cat, remoteCopy: [{ from: { process: first.id, path: 'gone.dat' } }] },
      { ...cat, remoteFolder: first.remoteDirectory ?? '', retrieve: ['charge.dat'] },
    )) as [Ended, Ended, Ended];
    expect(good).toMatchObject({ exitStatus: 0, imported: false });
    expect(await rig.output(good.id, 'stdout.txt')).toBe('density\ndata\ndensity\n');
    expect(bad).toMatchObject({ state: 'finished', exitStatus: 12, exitLabel: 'MISSING_SOURCE', jobId: null });
    expect(stagesOf(bad)).toEqual(['upload', 'gather', 'parse']);
    expect(stagesOf(good)).toEqual(['upload', 'gather', 'submit', 'update', 'retrieve', 'parse']);
    expect(imported).toMatchObject({ exitStatus: 0, imported: true, jobId: null, attempts: [] });
    expect(await rig.output(imported.id, 'charge.dat')).toBe('density\n');
  });

  it('may be those of calcjobs that have definitions', async () => {
    await using _ = await Runner.open({ home: rig.profile.location.home });
    const to = path.join(rig.directory, 'kept');
    const inputs = { x: 1, y: 2 };
    const job = { stash: { to, files: ['out.txt'] }, retrieveTemporary: ['in.txt'] };
    const kept = await run(AddOnComputer, inputs, { job });
    const secret = { x: 40_404, y: 1 };
    expect(await run(AddOnComputer, secret, { job: { exclude: ['in.txt'] } })).toMatchObject({ sum: 40_405 });
    const text = createHash('sha256').update('40404 1\n').digest('hex');
    await expect(rig.profile.repository.locate(text)).rejects.toMatchObject({ code: 'not-found' });
    expect(await readdir(path.join(rig.profile.location.repositoryDirectory, 'passing'))).toEqual([]);
    expect(kept).toMatchObject({ sum: 3, stash: { value: { path: expect.stringContaining(to) } } });
    await expect(run(AddOnComputer, inputs, { job: { remoteCopy: [{ from: '/nowhere' }] } })).rejects.toThrow(
      /nowhere/,
    );
    const rows = await rig.profile.store.selectFrom('processes').selectAll().orderBy('id', 'desc').limit(3).execute();
    expect(rows.map(({ exit_status }) => exit_status)).toEqual([12, 0, 0]);
    const { outputs } = await getProcess(rig.profile, rows[2]?.id ?? 0);
    expect(outputs).toMatchObject({ stash: { path: expect.stringContaining(to) } });
  });
});

describe('a job with monitors', () => {
  it('is stopped by what one of them sees in its files', async () => {
    const module = await write(
      'watch.mjs',
      `export default ({ files, arguments: { word } }) =>
         files['log.txt']?.includes(word) ? { message: 'it ' + word, outputs: { seen: files['log.txt'] } } : undefined;`,
    );
    const command = ['sh', '-c', 'echo running > log.txt; sleep 1; echo diverges >> log.txt; exec sleep 300'];
    const monitor = { module, arguments: { word: 'diverges' }, files: ['log.txt'], minimumInterval: 1 };
    const [stopped] = (await ended({ command, retrieve: ['log.txt'], monitors: { watch: monitor } })) as [Ended];
    expect(stopped).toMatchObject({
      ...{ state: 'finished', exitStatus: 150, exitMessage: 'a monitor stopped the job: watch: it diverges' },
      ...{ outputs: { seen: 'running\ndiverges\n' }, killRequestedAt: null },
    });
    expect(await rig.output(stopped.id, 'log.txt')).toBe('running\ndiverges\n');
  });
});
