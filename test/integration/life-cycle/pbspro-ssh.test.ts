import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { lifeCycle } from '../../conformance/life-cycle.js';
import { startPbsStandIn } from '../../rigs/pbs.js';
import { startProfile } from '../../rigs/profile.js';
import { startSshd } from '../../rigs/sshd.js';

lifeCycle('pbspro through ssh', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'wherry-pbs-'));
  await chmod(directory, 0o755);
  const pbs = await startPbsStandIn({ directory });
  const sshd = await startSshd({ environment: { PATH: `${pbs.binDirectory}:/usr/bin:/bin` } });
  const profile = await startProfile();
  const computer = await profile.addComputer({
    label: 'pbs',
    transport: 'ssh',
    connection: { ...sshd.connection },
    scheduler: 'pbspro',
    workDirectory: '{home}/wherry',
    limits: { minPollInterval: 0.5, safeOpenInterval: 0 },
  });
  return {
    profile,
    computer,
    async [Symbol.asyncDispose]() {
      await profile[Symbol.asyncDispose]();
      await sshd[Symbol.asyncDispose]();
      await pbs.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
});
