import type { Communicator } from '../broker/communicator.js';
import { processQueue } from '../engine/control/addresses.js';
import { openCommunicator } from '../engine/control/open-communicator.js';
import { WherryError } from '../errors.js';
import { flag, type GlobalArguments } from './command.js';
import { usageError } from './errors.js';
import { counted } from './process-text.js';
import { print } from './terminal.js';
import { withProfile } from './with-profile.js';

/** Arguments that choose parked tasks. */
export const parkedChoice = {
  positionals: { ids: { type: 'string', array: true, describe: 'ids of parked tasks (see: wherry broker parked)' } },
  options: { all: flag('all that are parked') },
} as const;

/** Does something with the parked tasks that were chosen and tells with how many. */
export async function settleParked(
  given: GlobalArguments & { readonly ids?: readonly string[] | undefined; readonly all: boolean },
  work: (communicator: Communicator, queue: string, ids: readonly string[] | 'all') => Promise<number>,
  done: string,
): Promise<number> {
  const { ids = [], all } = given;
  if (all === ids.length > 0) throw usageError('either ids or --all must be given', 'see: wherry broker parked');
  return withProfile(given, async (profile) => {
    await using communicator = await openCommunicator(profile);
    const count = await work(communicator, processQueue, all ? 'all' : ids);
    print(`${counted(count, 'task')} ${done}`);
    if (all || count === new Set(ids).size) return 0;
    throw new WherryError('not-found', 'not all of these tasks are parked', { hint: 'see: wherry broker parked' });
  });
}
