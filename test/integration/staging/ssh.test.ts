import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { submitJob } from '../../../src/engine/submit-job.js';
import { getProcess } from '../../../src/engine/views.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';
import { type Sshd, startSshd } from '../../rigs/sshd.js';

let sshd: Sshd;
let rig: TestProfile;
beforeAll(async () => {
  sshd = await startSshd({ homeFiles: { '.bashrc': 'echo noise; printf more\n' } });
  rig = await startProfile();
  await rig.addComputer({
    label: 'workstation',
    transport: 'ssh',
    connection: { ...sshd.connection },
    scheduler: 'direct',
    workDirectory: '{home}/wherry',
    limits: { minPollInterval: 0.3, safeOpenInterval: 0 },
  });
});
afterAll(async () => {
  await rig?.[Symbol.asyncDispose]();
  await sshd?.[Symbol.asyncDispose]();
});

async function ended(job: Parameters<typeof submitJob>[1]) {
  const { id } = await submitJob(rig.profile, { computer: 'workstation', ...job }, { baseDirectory: rig.directory });
  await rig.drive([await rig.row(id)]);
  return getProcess(rig.profile, id);
}

it('files stay on a computer that is far away, are taken there, and are seen by monitors', async () => {
  const odd = `it's "odd" $HOME\n*`;
  const stash = { to: path.join(sshd.home, 'kept'), files: ['out'], mode: 'tar.gz' as const };
  const script = 'mkdir out; echo density > charge.dat; echo data > "out/$1"';
  const first = await ended({ command: ['sh', '-c', script, 'sh', odd], stash });
  expect(first).toMatchObject({ exitStatus: 0, outputs: { stash: { mode: 'tar.gz', missing: [] } } });

  await writeFile(
    path.join(rig.directory, 'watch.mjs'),
    'export default ({ files }) => files["log.txt"] && { message: files["log.txt"].trim(), outputs: { seen: true } };',
  );
  const second = await ended({
    command: ['sh', '-c', 'cat charge.dat "back/out/$1" > log.txt; exec sleep 300', 'sh', odd],
    remoteCopy: [{ from: { process: first.id, path: 'charge.dat' } }],
    unstash: { from: first.id, into: 'back' },
    monitors: { watch: { module: './watch.mjs', files: ['log.txt'], minimumInterval: 1 } },
  });
  expect(second).toMatchObject({
    ...{ exitStatus: 150, exitMessage: 'a monitor stopped the job: watch: density\ndata' },
    ...{ outputs: { seen: true } },
  });
  const third = await ended({ command: ['true'], remoteSymlink: [{ from: '/nowhere/x' }] });
  expect(third).toMatchObject({ exitStatus: 12, jobId: null });
});
