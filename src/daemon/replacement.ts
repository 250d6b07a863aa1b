import type { ReplacementStatus } from './messages.js';
import { isoTime, type WorkerPlace } from './worker-place.js';

/** How the replacement of a worker ended. */
export type ReplacementOutcome =
  | { readonly kind: 'replaced' }
  /** The old one stays, because the new one did not become ready. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** Nobody wants it any more: fewer workers are wanted, or the daemon stops. */
  | { readonly kind: 'given-up'; readonly reason: string };

/** A worker and the one that takes its place as soon as it is ready. */
export class Replacement {
  readonly old: WorkerPlace;
  readonly successor: WorkerPlace;
  readonly why: string;
  readonly outcome: Promise<ReplacementOutcome>;
  readonly #since = Date.now();
  /** Has the successor become ready, so that the old one is asked to end? */
  takenOver = false;
  end: (outcome: ReplacementOutcome) => void = () => undefined;

  constructor(old: WorkerPlace, successor: WorkerPlace, why: string) {
    this.old = old;
    this.successor = successor;
    this.why = why;
    this.outcome = new Promise((resolve) => {
      this.end = resolve;
    });
  }

  get status(): ReplacementStatus {
    const { old, successor, why } = this;
    return { worker: old.number, successor: successor.number, why, since: isoTime(this.#since) };
  }
}
