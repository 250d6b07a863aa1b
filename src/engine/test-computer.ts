import { messageOf, WherryError } from '../errors.js';
import type { Connection } from '../plugin/transport.js';
import { writeEvents } from '../store/events.js';
import type { Store } from '../store/store.js';
import type { ComputerRow } from '../store/tables.js';
import type { UseConnection } from './computer-access.js';
import { checks, type Finding, type TestContext } from './computer-checks.js';
import { ComputerUnavailable } from './computer-unavailable.js';
import { isDisabled } from './computers.js';
import { type LoadedComputer, loadComputer } from './loaded-computer.js';

/** What came of one check. A warning is `ok` and has a hint. */
export interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly hint: string | null;
  readonly durationMs: number;
}

/**
 * Tries everything that a computer is needed for, one check after another; each is told as it ends. It speaks to the
 * computer under its lease, also while the computer is held or left alone; success lifts both.
 * Errors: ComputerTaken when a driver holds the computer.
 */
export async function testComputer(
  store: Store,
  row: ComputerRow,
  options: {
    readonly use: UseConnection;
    readonly signal: AbortSignal;
    readonly onCheck: (result: CheckResult) => void;
  },
): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  const end = (name: string, began: number, result: Omit<CheckResult, 'name' | 'durationMs'>) => {
    const told = { name, ...result, durationMs: Math.round(performance.now() - began) };
    results.push(told);
    options.onCheck(told);
  };
  const run = async <T extends Finding>(name: string, work: () => Promise<T>): Promise<T | undefined> => {
    const began = performance.now();
    try {
      const found = await work();
      end(name, began, { ok: true, detail: found.detail, hint: found.hint ?? null });
      return found;
    } catch (error) {
      if (options.signal.aborted) throw error;
      const hint = error instanceof WherryError ? (error.hint ?? null) : null;
      end(name, began, { ok: false, detail: messageOf(error), hint });
      return undefined;
    }
  };
  const loaded = await run('configuration', async () => {
    const computer = await loadComputer(row);
    return { detail: `${computer.transport.name} and ${computer.scheduler.name}` };
  });
  if (loaded === undefined) return results;
  const began = performance.now();
  const connected = (result: Omit<CheckResult, 'name' | 'durationMs'>) => end('connection', began, result);
  const check = async (connection: Connection, computer: LoadedComputer, signal: AbortSignal) => {
    connected({ ok: true, detail: `as ${connection.user}, home ${connection.home}`, hint: null });
    const context: TestContext = { computer, connection, signal };
    for (const each of checks(computer)) await run(each.name, () => each.run(context));
    if (results.every(({ ok }) => ok)) await release(store, row.id);
  };
  try {
    await options.use(options.signal, check, true);
  } catch (error) {
    if (options.signal.aborted || !(error instanceof ComputerUnavailable)) throw error;
    connected({ ok: false, detail: messageOf(error.cause), hint: error.hint ?? null });
  }
  return results;
}

/** The computer can be used: whatever kept its processes waiting is lifted. */
async function release(store: Store, computerId: number): Promise<void> {
  await store.transaction().execute(async (transaction) => {
    const before = await transaction
      .selectFrom('computers')
      .select(['hold', 'open_after', 'open_failures'])
      .where('id', '=', computerId)
      .executeTakeFirstOrThrow();
    // What a person has switched off stays off.
    if (isDisabled(before)) return;
    if (before.hold === null && before.open_after === null && before.open_failures === 0) return;
    await transaction
      .updateTable('computers')
      .set({ hold: null, open_after: null, open_failures: 0 })
      .where('id', '=', computerId)
      .execute();
    await writeEvents(transaction, null, Date.now(), [{ type: 'computer.released', computerId, data: {} }]);
  });
}
