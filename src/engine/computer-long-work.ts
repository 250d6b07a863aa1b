import { gather } from '../calcjob/gather.js';
import { stash } from '../calcjob/stash.js';
import type { ComputerHands } from './computer-hands.js';
import { dueRows } from './due-work.js';
import type { LoadedComputer } from './loaded-computer.js';

/** What copies and packs on the computer itself may take hours: it leaves half of the channels to all others. */
export async function startLongWork(hands: ComputerHands, computer: LoadedComputer, at: number): Promise<void> {
  const { tools, computerId, working } = hands;
  const { row, limits } = computer;
  const room = Math.max(1, Math.floor(limits.maxChannels / 2)) - working.at('gather', 'stash');
  if (room <= 0) return;
  const stages = row.draining_since === null ? ['gather', 'stash'] : ['stash'];
  for (const due of await dueRows(tools.store, computerId, stages, at, room, working.ids)) {
    hands.begin(due, due.stage ?? '', due.stage === 'gather' ? gather : stash);
  }
}
