import { lifeCycle } from '../../conformance/life-cycle.js';
import { startProfile } from '../../rigs/profile.js';
import { startSshd } from '../../rigs/sshd.js';

lifeCycle('direct through ssh', async () => {
  const sshd = await startSshd();
  const profile = await startProfile();
  const computer = await profile.addComputer({
    label: 'workstation',
    transport: 'ssh',
    connection: { ...sshd.connection },
    scheduler: 'direct',
    workDirectory: '{home}/wherry',
    limits: { minPollInterval: 0.5, safeOpenInterval: 0 },
  });
  return {
    profile,
    computer,
    async [Symbol.asyncDispose]() {
      await profile[Symbol.asyncDispose]();
      await sshd[Symbol.asyncDispose]();
    },
  };
});
