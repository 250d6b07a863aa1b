import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { startPbsStandIn } from '../../rigs/pbs.js';
import { startProfile } from '../../rigs/profile.js';
import { startSshd } from '../../rigs/sshd.js';
import { until } from '../../rigs/until.js';

it('finds the job whose submission PBS accepted without a reply, and submits no second one', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'wherry-pbs-'));
  await chmod(directory, 0o755);
  await using pbs = await startPbsStandIn({ directory });
  await using sshd = await startSshd({ environment: { PATH: `${pbs.binDirectory}:/usr/bin:/bin` } });
  await using rig = await startProfile();
  const computer = await rig.addComputer({
    label: 'pbs',
    transport: 'ssh',
    connection: { ...sshd.connection },
    scheduler: 'pbspro',
    workDirectory: '{home}/wherry',
    limits: { minPollInterval: 0.5, safeOpenInterval: 0 },
  });
  const row = await rig.submit(computer, { command: ['sh', '-c', 'echo ran >> runs; cat runs'] });
  await pbs.setFault('hang-after-accept');
  const jobs = async () => (await readdir(path.join(directory, 'jobs'))).length;
  const breakAfterAcceptance = until(async () => (await jobs()) > 0, { what: 'PBS to accept the job' }).then(
    async () => {
      await sshd.killSessions();
      await pbs.setFault(undefined);
    },
  );
  const before = await jobs();
  const [[ended]] = await Promise.all([rig.drive([row]), breakAfterAcceptance]);
  expect(before).toBe(0);
  expect(ended).toMatchObject({ state: 'finished', exit_status: 0 });
  expect(await rig.output(row.id, 'stdout.txt')).toBe('ran\n');
  const submissions = await rig.profile.store.selectFrom('submissions').selectAll().execute();
  expect(submissions.map(({ outcome }) => outcome)).toEqual(['accepted']);
  expect(await rig.eventTypes(row.id)).toContain('job.submission-unknown');
  await rm(directory, { recursive: true, force: true });
});
