import type { KyselyPlugin } from 'kysely';
import { WherryError } from '../../src/errors.js';
import type { Store } from '../../src/store/store.js';

/** The death of a driver: from some query on, nothing that it writes reaches the store any more. */
export class Death {
  readonly #onDeath: () => void;
  #left: number;

  /** @param queries how many more queries it lives */
  constructor(queries: number, onDeath: () => void) {
    this.#left = queries;
    this.#onDeath = onDeath;
  }

  get happened(): boolean {
    return this.#left <= 0;
  }

  /** The store as this driver sees it. A transaction in which it dies is rolled back, as by the death of a program. */
  storeOf(store: Store): Store {
    const plugin: KyselyPlugin = {
      transformQuery: ({ node }) => {
        if (!this.happened && --this.#left <= 0) this.#onDeath();
        if (this.happened) throw new WherryError('store-failed', 'the driver is dead');
        return node;
      },
      transformResult: async ({ result }) => result,
    };
    return store.withPlugin(plugin);
  }
}
