import { WherryError } from '../../errors.js';
import { amend, carryOut } from '../../process/transition.js';
import { leaseHolder } from '../../store/leases.js';
import type { Store } from '../../store/store.js';
import { requestKill } from '../intents.js';
import { laneLease, sharedLaneOf } from './lane.js';
import { lanesOfPrograms } from './lane-work.js';

const ended = 'the program that ran it has ended, and no module of the profile has its definition';
const hint = 'run the program again; list its module under `modules` in profile.yaml, so that workers can go on';

/**
 * Takes up what programs have left that are gone: what workers know the definition of goes on with them, everything
 * else ends, for nobody else could ever go on with it. Done twice at the same time, it is done once.
 */
export async function takeUpOrphans(store: Store, now: number): Promise<void> {
  for (const lane of await lanesOfPrograms(store)) {
    if ((await leaseHolder(store, laneLease(lane), now)) !== undefined) continue;
    const rows = await store
      .selectFrom('processes')
      .selectAll()
      .where('lane', '=', lane)
      .where('ended_at', 'is', null)
      // Those that were called come first, so that none begins anew for one that is about to end.
      .orderBy('id', 'desc')
      .limit(1_000)
      .execute();
    for (const row of rows) {
      // It goes on there as before: what it waits for, such as a settle time, has its own moment.
      const isOnComputer = row.kind === 'calcjob' && row.stage !== 'parse';
      if (row.module !== null) {
        const changes = { lane: sharedLaneOf(row.uuid), ...(isOnComputer ? {} : { due_at: now }) };
        await amend(store, row.id, changes, { now });
      } else if (isOnComputer) {
        if (row.kill_requested_at === null) await requestKill(store, row, ended, now);
      } else {
        await carryOut(
          store,
          row,
          { to: 'excepted', exception: { code: 'program-ended', message: ended, hint } },
          { now },
        ).catch((error: unknown) => {
          if (!(error instanceof WherryError) || error.code !== 'transition-refused') throw error;
        });
      }
    }
  }
}
