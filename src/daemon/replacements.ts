import type { Log } from './log.js';
import type { DaemonEvent, FailedReplacement, Reloaded } from './messages.js';
import { Replacement, type ReplacementOutcome } from './replacement.js';
import { breakerPause, type RestartTiming } from './restart-policy.js';
import { isoTime, type WorkerPlace } from './worker-place.js';

/** Milliseconds that a worker has to end when another has taken its place, and one that has grown beyond all measure. */
const drainTimeout = { replaced: 30_000, urgent: 10_000 } as const;

interface ReplacementTools {
  readonly log: Log;
  readonly tell: (event: DaemonEvent) => void;
  readonly timing: RestartTiming;
  /** Makes a place for one more worker. */
  readonly add: () => WorkerPlace;
  readonly remove: (place: WorkerPlace) => void;
}

/** Replaces workers, one at a time: the old one works on until the new one is ready. */
export class Replacements {
  readonly #tools: ReplacementTools;
  #current: Replacement | undefined;
  #lastFailure: FailedReplacement | null = null;
  #failures = 0;
  /** By itself it begins none before. */
  #notBefore = 0;
  #stopped: Extract<ReplacementOutcome, { kind: 'given-up' }> | undefined;

  constructor(tools: ReplacementTools) {
    this.#tools = tools;
  }

  get current(): Replacement | undefined {
    return this.#current;
  }

  /** The last that failed, until one succeeds. */
  get lastFailure(): FailedReplacement | null {
    return this.#lastFailure;
  }

  /** Is this the worker that will take the place of another, and is not ready yet? */
  awaits(place: WorkerPlace): boolean {
    return this.#current?.successor === place && !this.#current.takenOver;
  }

  /** Starts a successor for a worker; to be called while no other replacement is in progress. */
  begin(old: WorkerPlace, why: string): Replacement {
    const replacement = new Replacement(old, this.#tools.add(), why);
    this.#current = replacement;
    this.#say(old, `is to be replaced by worker ${replacement.successor.number}: ${why}`);
    replacement.successor.start();
    return replacement;
  }

  /** Replaces all workers, one after another, until one cannot be. */
  async all(crew: () => readonly WorkerPlace[]): Promise<Reloaded> {
    // Those that are started from now on run the new code anyway.
    const old = crew().flatMap(({ pid }) => pid ?? []);
    this.#tools.log({ level: 'info', message: `all workers (${old.length}) are to be replaced` });
    let replaced = 0;
    for (const pid of old) {
      while (this.#current !== undefined) await this.#current.outcome;
      const place = crew().find((candidate) => candidate.pid === pid);
      if (place === undefined) continue;
      const outcome = this.#stopped ?? (await this.begin(place, 'new code').outcome);
      if (outcome.kind === 'replaced') replaced += 1;
      else if (outcome.kind === 'failed' || this.#stopped !== undefined) {
        return { replaced, stopped: `worker ${place.number} was not replaced: ${outcome.reason}` };
      }
    }
    return { replaced, stopped: null };
  }

  /** Replaces what is worn: at once what has grown beyond all measure, else one at a time. */
  look(crew: readonly WorkerPlace[], now: number): void {
    for (const place of crew) {
      const verdict = place.worn(now);
      if (verdict?.urgent) this.#replaceAtOnce(place, verdict.why);
      else if (verdict !== undefined && this.#current === undefined && now >= this.#notBefore) {
        this.begin(place, verdict.why);
      }
    }
  }

  /** A worker has become ready. */
  ready(place: WorkerPlace): void {
    if (this.#current === undefined || !this.awaits(place)) return;
    this.#takeOver(this.#current, drainTimeout.replaced);
  }

  /** A worker has ended. True when that concerned a replacement, and nothing more is to be done about it. */
  ended(place: WorkerPlace): boolean {
    if (this.#lastFailure?.worker === place.number) this.#lastFailure = null;
    const replacement = this.#current;
    if (replacement === undefined) return false;
    if (this.awaits(place)) {
      this.#tools.remove(place);
      this.#failed(replacement, place.lastEnd?.reason ?? 'it could not be started');
      return true;
    }
    if (replacement.old !== place) return false;
    // One that ends by itself while its successor starts has been replaced all the same.
    this.#tools.remove(place);
    if (!replacement.takenOver) this.#tellOf(replacement);
    this.#finish({ kind: 'replaced' });
    return true;
  }

  /** Nobody wants this worker any more, so it needs no successor. */
  giveUp(old: WorkerPlace, reason: string): void {
    if (this.#current?.old !== old || this.#current.takenOver) return;
    const { successor } = this.#current;
    this.#finish({ kind: 'given-up', reason });
    successor.drain(drainTimeout.replaced);
  }

  /** Gives up what is in progress; the workers themselves are for the caller to end. */
  stop(reason: string): void {
    this.#stopped = { kind: 'given-up', reason };
    if (this.#current !== undefined) this.#finish(this.#stopped);
  }

  #replaceAtOnce(place: WorkerPlace, why: string): void {
    if (this.#current?.old === place) {
      this.#takeOver(this.#current, drainTimeout.urgent);
      return;
    }
    const successor = this.#tools.add();
    this.#say(place, `is replaced by worker ${successor.number} at once: ${why}`);
    successor.start();
    place.drain(drainTimeout.urgent);
    this.#tools.tell({ type: 'worker-replaced', worker: place.number, successor: successor.number, why });
  }

  #takeOver(replacement: Replacement, timeout: number): void {
    replacement.takenOver = true;
    this.#lastFailure = null;
    this.#failures = 0;
    this.#tellOf(replacement);
    replacement.old.drain(timeout);
  }

  #tellOf({ old, successor, why }: Replacement): void {
    this.#say(old, `is replaced by worker ${successor.number}: ${why}`);
    this.#tools.tell({ type: 'worker-replaced', worker: old.number, successor: successor.number, why });
  }

  #failed({ old, why }: Replacement, reason: string): void {
    this.#failures += 1;
    const now = Date.now();
    this.#notBefore = now + breakerPause(this.#failures, this.#tools.timing);
    this.#lastFailure = { worker: old.number, why, reason, at: isoTime(now), nextAt: isoTime(this.#notBefore) };
    this.#tools.log({
      level: 'error',
      message: `stays, its successor did not become ready: ${reason}`,
      worker: old.number,
    });
    this.#tools.tell({ type: 'worker-not-replaced', worker: old.number, why, reason });
    this.#finish({ kind: 'failed', reason });
  }

  #finish(outcome: ReplacementOutcome): void {
    this.#current?.end(outcome);
    this.#current = undefined;
  }

  #say(place: WorkerPlace, message: string): void {
    this.#tools.log({ level: 'info', message, worker: place.number });
  }
}
