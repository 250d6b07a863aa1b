import type { CalcJobContext } from '../calcjob/context.js';
import { kill, killed } from '../calcjob/kill.js';
import { WherryError } from '../errors.js';
import { amend, type Transition } from '../process/transition.js';
import type { ProcessRow } from '../store/tables.js';
import type { ComputerHands } from './computer-hands.js';

/** Milliseconds after which an unconfirmed cancel is sent again. */
const killAgainAfter = 15_000;

/** Stages in which nothing of a process is left on the computer that could run. */
const afterJob: ReadonlySet<string | null> = new Set(['stash', 'retrieve', 'parse']);

/**
 * Carries out wishes to kill: what is in progress for a process is given up first, then it ends, or its job is cancelled.
 * @param reachable may the computer be spoken to now?
 */
export async function carryOutKills(
  hands: ComputerHands,
  wishes: readonly ProcessRow[],
  reachable: boolean,
): Promise<void> {
  const { tools, working } = hands;
  for (const row of wishes) {
    const work = working.of(row.id);
    if (work !== undefined) {
      if (work.stage !== 'kill') work.abort.abort(new WherryError('aborted', 'the process is being killed'));
    } else if (row.stage === 'gather' || (row.stage === 'upload' && row.remote_directory === null)) {
      await hands.carryOut(row, killed({ row }));
    } else if (afterJob.has(row.stage)) {
      await hands.carryOut(row, killed({ row }));
    } else if (reachable && (row.due_at ?? 0) <= tools.now()) {
      hands.begin(row, 'kill', (context) => killOnce(hands, context));
    }
  }
}

async function killOnce({ tools, lease }: ComputerHands, context: CalcJobContext): Promise<Transition | undefined> {
  const transition = await kill(context);
  if (transition !== undefined) return transition;
  const { store, now } = tools;
  const at = now();
  await amend(
    store,
    context.row.id,
    { waiting_for: 'the end of its job, which was cancelled', waiting_since: at, due_at: at + killAgainAfter },
    { now: at, lease },
  );
  return undefined;
}
