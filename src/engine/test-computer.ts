import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, WherryError } from '../errors.js';
import type { Connection } from '../plugin/transport.js';
import { writeEvents } from '../store/events.js';
import type { Store } from '../store/store.js';
import type { ComputerRow } from '../store/tables.js';
import { withComputerLease } from './computer-access.js';
import { checks, type Finding, type TestContext } from './computer-checks.js';
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

/** Milliseconds until the connection must be open. */
const openDeadline = 60_000;

/**
 * Tries everything that a computer is needed for, one check after another; each is told as it ends. It speaks to the
 * computer under its lease, also while the computer is held or left alone; success lifts both.
 * Errors: `back-pressure` when a driver holds the computer.
 */
export async function testComputer(
  store: Store,
  row: ComputerRow,
  options: { readonly signal: AbortSignal; readonly onCheck: (result: CheckResult) => void },
): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  const run = async <T extends Finding>(name: string, work: () => Promise<T>): Promise<T | undefined> => {
    const began = performance.now();
    const end = (result: Omit<CheckResult, 'name' | 'durationMs'>) => {
      const told = { name, ...result, durationMs: Math.round(performance.now() - began) };
      results.push(told);
      options.onCheck(told);
    };
    try {
      const found = await work();
      end({ ok: true, detail: found.detail, hint: found.hint ?? null });
      return found;
    } catch (error) {
      if (options.signal.aborted) throw error;
      const hint = error instanceof WherryError ? (error.hint ?? null) : null;
      end({ ok: false, detail: messageOf(error), hint });
      return undefined;
    }
  };
  const loaded = await run('configuration', async () => {
    const computer = await loadComputer(row);
    return { detail: `${computer.transport.name} and ${computer.scheduler.name}`, computer };
  });
  if (loaded === undefined) return results;
  const { computer } = loaded;
  await withComputerLease(store, row, options.signal, async (signal) => {
    const opened = await run('connection', () => open(store, computer, signal));
    if (opened === undefined) return;
    await using connection = opened.connection;
    const context: TestContext = { computer, connection, signal };
    for (const check of checks(computer)) await run(check.name, () => check.run(context));
    if (results.every(({ ok }) => ok)) await release(store, row.id);
  });
  return results;
}

/** Opens a connection of its own: a hold does not keep it, the safe interval between openings does. */
async function open(
  store: Store,
  computer: LoadedComputer,
  signal: AbortSignal,
): Promise<Finding & { readonly connection: Connection }> {
  const { row, limits, transport, connectionSettings } = computer;
  const state = await store
    .selectFrom('computers')
    .select('opened_at')
    .where('id', '=', row.id)
    .executeTakeFirstOrThrow();
  const wait = (state.opened_at ?? 0) + limits.safeOpenInterval - Date.now();
  if (wait > 0) await delay(wait, undefined, { signal });
  await store.updateTable('computers').set({ opened_at: Date.now() }).where('id', '=', row.id).execute();
  const connection = await transport.open(connectionSettings, { timeout: openDeadline, signal });
  return { detail: `as ${connection.user}, home ${connection.home}`, connection };
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
