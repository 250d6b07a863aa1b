import { gather } from '../calcjob/gather.js';
import { stash } from '../calcjob/stash.js';
import { dueCleanings, startCleaning } from './clean-work.js';
import type { ComputerHands } from './computer-hands.js';
import { dueRows } from './due-work.js';
import type { LoadedComputer } from './loaded-computer.js';

/**
 * What copies, packs and removes on the computer itself may take hours: it leaves half of the channels to all others.
 * Removing comes last, for nobody waits for it.
 */
export async function startLongWork(hands: ComputerHands, computer: LoadedComputer, at: number): Promise<void> {
  const { tools, computerId, working } = hands;
  const { row, limits } = computer;
  const places = Math.max(1, Math.floor(limits.maxChannels / 2));
  const room = () => places - working.at('gather', 'stash', 'clean');
  if (room() <= 0) return;
  const stages = row.draining_since === null ? ['gather', 'stash'] : ['stash'];
  for (const due of await dueRows(tools.store, computerId, stages, at, room(), working.ids)) {
    hands.begin(due, due.stage ?? '', due.stage === 'gather' ? gather : stash);
  }
  if (room() <= 0) return;
  for (const ended of await dueCleanings(tools.store, computerId, at, room(), working.ids)) startCleaning(hands, ended);
}
