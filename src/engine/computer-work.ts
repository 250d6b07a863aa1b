import { WherryError } from '../errors.js';
import { writeEvents } from '../store/events.js';
import type { Lease } from '../store/leases.js';
import { ComputerDriver } from './computer-driver.js';
import { computerLease, computerOfLease } from './computer-lease.js';
import type { DriverTools } from './driver-tools.js';
import { computersWithWork } from './due-work.js';
import { ReachableElsewhere } from './reachable.js';
import type { WorkKind } from './work-kind.js';

/** Milliseconds that a computer which another host alone can reach is left alone. */
const elsewhereFor = 30_000;

/** Errors of loading a computer that are its own and not this machine's. */
const configurationErrors: ReadonlySet<string> = new Set(['bad-input', 'plugin-missing', 'plugin-broken']);

/** Computers with calcjobs: each has one connection, and so one driver. */
export class ComputerWork implements WorkKind {
  readonly keeps = false;
  readonly #tools: DriverTools;
  /** Ids of those that may be driven; all when undefined. */
  wanted: readonly number[] | undefined;
  /** Computers that other hosts alone can reach, and when to look again: their settings may change. */
  readonly #elsewhere = new Map<string, number>();

  constructor(tools: DriverTools) {
    this.#tools = tools;
  }

  async withWork(): Promise<readonly string[]> {
    return (await computersWithWork(this.#tools.store)).map(computerLease);
  }

  total(withWork: number): number {
    return withWork;
  }

  mayTake(name: string): boolean {
    const id = computerOfLease(name) ?? 0;
    if (this.wanted !== undefined && !this.wanted.includes(id)) return false;
    return (this.#elsewhere.get(name) ?? 0) <= this.#tools.now();
  }

  async driverFor(lease: Lease): Promise<ComputerDriver | undefined> {
    const { store, now } = this.#tools;
    const id = computerOfLease(lease.name) ?? 0;
    const row = await store.selectFrom('computers').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
    try {
      return await ComputerDriver.create(this.#tools, lease, row);
    } catch (error) {
      if (error instanceof ReachableElsewhere) this.#elsewhere.set(lease.name, now() + elsewhereFor);
      else await this.failed(lease.name, error);
      return undefined;
    }
  }

  /** A computer whose plugin is missing or whose configuration is wrong is held for the user; others go on. */
  async failed(name: string, error: unknown): Promise<void> {
    if (!(error instanceof WherryError) || !configurationErrors.has(error.code)) throw error;
    const { store, now } = this.#tools;
    const computerId = computerOfLease(name) ?? 0;
    const { code, message } = error;
    const held = await store
      .updateTable('computers')
      .set({ hold: JSON.stringify({ code, message, since: now() }) })
      .where('id', '=', computerId)
      .where('hold', 'is', null)
      .executeTakeFirst();
    if (held.numUpdatedRows === 1n) {
      await writeEvents(store, null, now(), [{ type: 'computer.held', computerId, data: { code, message } }]);
    }
  }
}
