import type { Address, Communicator, Json } from '../../broker/communicator.js';
import { claimLease, fenced, type Lease, releaseLease, renewLease } from '../../store/leases.js';
import type { Store } from '../../store/store.js';
import type { EventRow } from '../../store/tables.js';

/** Milliseconds. What is older is told to nobody: who wants to know has looked into the store meanwhile. */
const timing = { lease: 30_000, renewal: 7_500, forgotten: 60_000 } as const;
const name = 'outbox';
const page = 200;

type TellingRow = EventRow & { readonly kind: string | null; readonly uuid: string | null };

/**
 * Tells everybody who listens of what was written: a broadcast for each event, after its commit, in their order. One
 * worker of a profile does it at a time. A broadcast is a hint; whoever misses it finds the same in the store.
 */
export class Outbox {
  readonly #store: Store;
  readonly #communicator: Communicator;
  readonly #owner: string;
  readonly #now: () => number;
  #lease: Lease | undefined;
  #renewed = 0;

  constructor(store: Store, communicator: Communicator, owner: string, now: () => number) {
    this.#store = store;
    this.#communicator = communicator;
    this.#owner = owner;
    this.#now = now;
  }

  /** Is it this worker that tells? */
  get isMine(): boolean {
    return this.#lease !== undefined;
  }

  /** Tells what is new, if that is for this worker to do. Errors: those of store and communicator. */
  async publish(): Promise<void> {
    const lease = await this.#hold();
    if (lease === undefined) return;
    for (let position = await this.#position(lease); ; ) {
      // While more is written than is told, this goes on for longer than the lease lasts.
      if ((await this.#hold()) !== lease) return;
      const rows = await this.#after(position);
      const recent = rows.filter(({ at }) => at > this.#now() - timing.forgotten);
      await Promise.all(recent.map((row) => this.#tell(row)));
      const last = rows.at(-1);
      if (last === undefined) return;
      position = last.id;
      await fenced(this.#store, lease, (transaction) =>
        transaction.updateTable('cursors').set({ position }).where('name', '=', name).execute(),
      );
      if (rows.length < page) return;
    }
  }

  /** Leaves it to another worker. */
  async release(): Promise<void> {
    const lease = this.#lease;
    this.#lease = undefined;
    if (lease !== undefined) await releaseLease(this.#store, lease);
  }

  async #hold(): Promise<Lease | undefined> {
    const at = this.#now();
    if (this.#lease !== undefined) {
      if (at - this.#renewed < timing.renewal) return this.#lease;
      if (!(await renewLease(this.#store, this.#lease, at, timing.lease))) this.#lease = undefined;
    }
    this.#lease ??= await claimLease(this.#store, name, this.#owner, at, timing.lease);
    this.#renewed = at;
    return this.#lease;
  }

  async #position(lease: Lease): Promise<number> {
    const known = await this.#store
      .selectFrom('cursors')
      .select('position')
      .where('name', '=', name)
      .executeTakeFirst();
    if (known !== undefined) return known.position;
    const newest = await this.#store
      .selectFrom('events')
      .select((row) => row.fn.max('id').as('id'))
      .executeTakeFirst();
    // What was written before anybody could listen is no news.
    const position = Number(newest?.id ?? 0);
    await fenced(this.#store, lease, (transaction) =>
      transaction.insertInto('cursors').values({ name, position }).execute(),
    );
    return position;
  }

  async #after(position: number): Promise<TellingRow[]> {
    return this.#store
      .selectFrom('events')
      .leftJoin('processes', 'processes.id', 'events.process_id')
      .selectAll('events')
      .select(['processes.kind', 'processes.uuid'])
      .where('events.id', '>', position)
      .orderBy('events.id')
      .limit(page)
      .execute();
  }

  async #tell(row: TellingRow): Promise<void> {
    const data = JSON.parse(row.data) as { readonly [key: string]: Json };
    const subject = row.type === 'process.state' ? `state.${row.kind}.${data.from}.${data.to}` : `event.${row.type}`;
    const sender: Address = row.process_id === null ? `computer.${row.computer_id ?? 0}` : `process.${row.process_id}`;
    const { id, at, type, process_id, uuid, computer_id } = row;
    const body = { event: id, at, type, process: process_id, uuid, computer: computer_id, data };
    await this.#communicator.broadcast(subject, { sender, body });
  }
}
