import { clean } from '../calcjob/clean.js';
import { WherryError } from '../errors.js';
import { type NewEvent, writeEvents } from '../store/events.js';
import { fenced } from '../store/leases.js';
import type { Store } from '../store/store.js';
import type { CleaningRow, ProcessRow } from '../store/tables.js';
import type { ComputerHands } from './computer-hands.js';
import { consequenceOf } from './failure.js';

/** Ended calcjobs of a computer whose directories are to be removed now, those first who have waited longest. */
export async function dueCleanings(
  store: Store,
  computerId: number,
  now: number,
  limit: number,
  except: ReadonlySet<number>,
): Promise<ProcessRow[]> {
  const due = await store
    .selectFrom('cleanings')
    .select('process_id')
    .where('computer_id', '=', computerId)
    .where('due_at', 'is not', null)
    .where('due_at', '<=', now)
    .orderBy('due_at')
    .limit(limit + except.size)
    .execute();
  const ids = due.map(({ process_id }) => process_id).filter((id) => !except.has(id));
  if (ids.length === 0) return [];
  return store.selectFrom('processes').selectAll().where('id', 'in', ids.slice(0, limit)).execute();
}

/** Removes the directory of an ended calcjob, without waiting for it, and writes down what came of it. */
export function startCleaning(hands: ComputerHands, row: ProcessRow): void {
  const abort = new AbortController();
  const { signal } = abort;
  const work = async () => {
    try {
      const directory = await hands.onConnection(row, signal, clean);
      await write(hands, row.id, { due_at: null, cleaned_at: hands.tools.now(), failure: null }, [
        { type: 'process.cleaned', data: { directory } },
      ]);
    } catch (error) {
      if (!signal.aborted) await failed(hands, row, error);
    }
  };
  hands.working.add(row.id, { abort, stage: 'clean', waiting: true }, work());
}

/** The trouble of a computer is waited for; what is its own is tried again with growing waits, and given up at last. */
async function failed(hands: ComputerHands, row: ProcessRow, error: unknown): Promise<void> {
  if (error instanceof WherryError && error.code === 'lease-lost') throw error;
  const { store, now, random } = hands.tools;
  const { attempts, failure, requested_by } = await store
    .selectFrom('cleanings')
    .selectAll()
    .where('process_id', '=', row.id)
    .executeTakeFirstOrThrow();
  const at = now();
  const consequence = consequenceOf({ ...row, stage: 'clean', attempts }, error, at, random());
  if (consequence.kind === 'except') {
    const { code, message } = consequence;
    await giveUp({ attempts: attempts + 1, failure: JSON.stringify({ code, message, at }) });
    return;
  }
  const { changes } = consequence;
  const next = { attempts: changes.attempts ?? attempts, failure: changes.last_error ?? failure };
  if (changes.paused === 1) return giveUp(next);
  const nextAt = changes.due_at ?? at;
  await write(hands, row.id, { ...next, due_at: nextAt }, next.attempts > attempts ? [told(next, nextAt)] : []);

  async function giveUp(last: Pick<CleaningRow, 'attempts' | 'failure'>): Promise<void> {
    await write(hands, row.id, { ...last, due_at: null }, [told(last, null)], requested_by);
  }
}

function told({ attempts, failure }: Pick<CleaningRow, 'attempts' | 'failure'>, nextAt: number | null): NewEvent {
  const { code, message } = JSON.parse(failure ?? '{}') as { code: string; message: string };
  return { type: 'process.clean-failed', data: { attempt: attempts, code, message, nextAt } };
}

/** @param askedBy the workflow that is told of a failure for good */
async function write(
  { tools, lease }: ComputerHands,
  id: number,
  changes: Partial<CleaningRow>,
  events: readonly NewEvent[],
  askedBy: number | null = null,
): Promise<void> {
  const { store, now } = tools;
  const at = now();
  await fenced(
    store,
    lease,
    async (transaction) => {
      await transaction.updateTable('cleanings').set(changes).where('process_id', '=', id).execute();
      await writeEvents(transaction, id, at, events);
      const [event] = events;
      if (askedBy === null || event?.type !== 'process.clean-failed') return;
      const message = `the work directory of process ${id} could not be removed: ${event.data.message}`;
      await writeEvents(transaction, askedBy, at, [{ type: 'process.report', data: { level: 'warning', message } }]);
    },
    { repeatable: true },
  );
}
