import { AsyncLocalStorage } from 'node:async_hooks';
import type { KyselyPlugin, RootOperationNode } from 'kysely';
import { WherryError } from '../../src/errors.js';
import type { Store } from '../../src/store/store.js';
import type { VirtualClock } from '../../testing/index.js';
import type { Leasehold } from './leasehold.js';

/** What becomes of a driver, by how many queries of the store it has made or how long it has lived. */
export interface Fate {
  readonly kind: 'dies' | 'freezes';
  readonly afterQueries?: number;
  /** Milliseconds. */
  readonly afterTime?: number;
  /** Milliseconds that a freeze lasts. */
  readonly lasts?: number;
}

const present = new AsyncLocalStorage<Life>();

/**
 * The life of one driver. From its death on nothing that it does reaches the store or the computer; while it is frozen
 * (as by SIGSTOP) nothing that it waits for comes to it, and then it goes on as if no time had passed.
 */
export class Life {
  readonly name: string;
  /** When it thawed last. */
  thawedAt = Number.NEGATIVE_INFINITY;
  readonly #fate: Fate | undefined;
  readonly #clock: VirtualClock;
  readonly #leasehold: Leasehold;
  readonly #ended = new AbortController();
  readonly #tell: (story: string) => void;
  readonly #callOff: () => void;
  #queries = 0;
  #frozen: Promise<void> | undefined;

  constructor(
    name: string,
    fate: Fate | undefined,
    world: { readonly clock: VirtualClock; readonly leasehold: Leasehold; tell(story: string): void },
  ) {
    this.name = name;
    this.#fate = fate;
    this.#clock = world.clock;
    this.#leasehold = world.leasehold;
    this.#tell = world.tell;
    const time = fate?.afterTime;
    this.#callOff =
      time === undefined ? () => undefined : world.clock.at(world.clock.now() + time, () => this.#meetFate());
  }

  /** Whose code is running. */
  static get present(): Life | undefined {
    return present.getStore();
  }

  /** Comes when it dies. */
  get death(): AbortSignal {
    return this.#ended.signal;
  }

  get isDead(): boolean {
    return this.#ended.signal.aborted;
  }

  get isFrozen(): boolean {
    return this.#frozen !== undefined;
  }

  get queries(): number {
    return this.#queries;
  }

  /** Runs something as part of this life. Errors: those of `work`, unless it died meanwhile. */
  async live(work: () => Promise<void>): Promise<void> {
    try {
      await present.run(this, work);
    } catch (error) {
      if (!this.isDead) throw error;
    } finally {
      this.#callOff();
    }
  }

  /** Resolves at once unless it is frozen. */
  async thaw(): Promise<void> {
    while (this.#frozen !== undefined) await this.#frozen;
  }

  /** The store as this driver sees it. A transaction in which it dies is rolled back, as by the death of a program. */
  storeOf(store: Store): Store {
    const asked = new WeakMap<object, RootOperationNode>();
    const plugin: KyselyPlugin = {
      transformQuery: ({ node, queryId }) => {
        this.#queries++;
        if (this.#queries === this.#fate?.afterQueries) this.#meetFate();
        if (this.isDead) throw new WherryError('store-failed', 'the driver is dead');
        asked.set(queryId, node);
        return node;
      },
      transformResult: async ({ result, queryId }) => {
        const node = asked.get(queryId);
        if (node !== undefined) this.#leasehold.watch(this.name, node, result);
        return result;
      },
    };
    return store.withPlugin(plugin);
  }

  #meetFate(): void {
    if (this.isDead || this.#fate === undefined) return;
    if (this.#fate.kind === 'dies') {
      this.#tell(`${this.name} dies`);
      this.#ended.abort();
      return;
    }
    const { lasts = 0 } = this.#fate;
    this.#tell(`${this.name} freezes for ${lasts / 1000} s`);
    this.#frozen = this.#clock.sleep(this.#clock.now() + lasts).then(() => {
      this.#tell(`${this.name} thaws`);
      this.#frozen = undefined;
      this.thawedAt = this.#clock.now();
    });
  }
}
