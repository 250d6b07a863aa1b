import type { KyselyPlugin } from 'kysely';
import { WherryError } from '../../src/errors.js';
import type { Store } from '../../src/store/store.js';

/** A store that answers so many queries and then no more, as if its program had died. */
export function mortalStore(
  store: Store,
  queries: number,
  onDeath: () => void,
): { readonly store: Store; readonly asked: () => number } {
  let asked = 0;
  const plugin: KyselyPlugin = {
    transformQuery: ({ node }) => {
      asked++;
      if (asked === queries) onDeath();
      if (asked >= queries) throw new WherryError('store-failed', 'the driver is dead');
      return node;
    },
    transformResult: async ({ result }) => result,
  };
  return { store: store.withPlugin(plugin), asked: () => asked };
}
