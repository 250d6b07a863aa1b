import { lifeCycle } from '../../conformance/life-cycle.js';
import { startCluster } from '../../rigs/cluster.js';

lifeCycle('slurm through ssh', async () => {
  const profile = await startCluster();
  return { profile, computer: profile.computer, [Symbol.asyncDispose]: () => profile[Symbol.asyncDispose]() };
});
