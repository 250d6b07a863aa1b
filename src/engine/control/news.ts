import type { BroadcastFilter } from '../../broker/communicator.js';
import { WherryError } from '../../errors.js';
import type { Profile } from '../profile.js';
import { mayBeHeard, openCommunicator } from './open-communicator.js';
import { Wakeable } from './wakeable.js';

/**
 * Hears by broadcast that something has happened, so that one who waits looks into the store at once. Without a broker,
 * or when a broadcast is lost, the same is found when one looks the next time.
 */
export class News implements AsyncDisposable {
  readonly #wakeable = new Wakeable();
  readonly #closed = new AbortController();
  readonly #listening: Promise<AsyncDisposable | undefined>;
  readonly #onNews: () => void;

  /** @param onNews called for every word, beside ending a wait */
  constructor(profile: Profile, filters: readonly [BroadcastFilter, ...BroadcastFilter[]], onNews = () => undefined) {
    this.#onNews = onNews;
    // In the background: a slow broker must not keep anybody from looking.
    this.#listening = mayBeHeard(profile) ? this.#listen(profile, filters) : Promise.resolve(undefined);
  }

  /** Waits until something has happened, so many milliseconds have passed, or the signal comes. */
  async wait(milliseconds: number, signal: AbortSignal): Promise<void> {
    await this.#wakeable.wait(milliseconds, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    await (await this.#listening)?.[Symbol.asyncDispose]();
  }

  async #listen(
    profile: Profile,
    filters: readonly [BroadcastFilter, ...BroadcastFilter[]],
  ): Promise<AsyncDisposable | undefined> {
    const tell = () => {
      this.#wakeable.wake();
      this.#onNews();
    };
    try {
      const communicator = await openCommunicator(profile);
      communicator.onReconnected(tell);
      await communicator.listen(filters, tell);
      if (!this.#closed.signal.aborted) return communicator;
      await communicator[Symbol.asyncDispose]();
    } catch (error) {
      if (!(error instanceof WherryError)) throw error;
    }
    return undefined;
  }
}

/** The ends of processes: of these, or of all where they are many. */
export function endsOf(ids: readonly number[]): [BroadcastFilter, ...BroadcastFilter[]] {
  const [first, ...others] = ids;
  if (first === undefined || ids.length > mostFilters) return [{ subject: 'state.#' }];
  return [filterOf(first), ...others.map(filterOf)];
}

const mostFilters = 20;

function filterOf(id: number): BroadcastFilter {
  return { subject: 'state.#', sender: `process.${id}` };
}
