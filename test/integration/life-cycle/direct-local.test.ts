import { lifeCycle } from '../../conformance/life-cycle.js';
import { startProfile } from '../../rigs/profile.js';

lifeCycle('direct through local', async () => {
  const profile = await startProfile();
  const computer = await profile.profile.store.selectFrom('computers').selectAll().executeTakeFirstOrThrow();
  return { profile, computer, [Symbol.asyncDispose]: () => profile[Symbol.asyncDispose]() };
});
