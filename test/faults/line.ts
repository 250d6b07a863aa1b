import type { Connection, OpenOptions } from '../../src/plugin.js';
import { type Operation, type SimulatedCluster, shellWords, simulatedTransport } from '../../testing/index.js';
import { Life } from './life.js';

/** The way of all drivers to the simulated computer: it knows whose connection is whose, and who breaks a rule. */
export class Line {
  /** Since when nothing may be sent, or none of these operations. */
  quiet: { readonly since: number; readonly only?: Operation | undefined } | undefined;
  readonly violations: string[] = [];
  readonly #cluster: SimulatedCluster;
  readonly #safeOpenInterval: number;
  readonly #open = new Map<Connection, Life | undefined>();
  readonly #listing = new Set<Life | undefined>();
  #openedAt = Number.NEGATIVE_INFINITY;

  /** @param safeOpenInterval milliseconds between two openings */
  constructor(cluster: SimulatedCluster, safeOpenInterval: number) {
    this.#cluster = cluster;
    this.#safeOpenInterval = safeOpenInterval;
  }

  /** Opens a connection for whoever asks; it breaks with the death of its driver. */
  async open(options: OpenOptions): Promise<Connection> {
    const life = Life.present;
    await life?.thaw();
    const now = this.#cluster.clock.now();
    // What was allowed when a driver froze comes later.
    const isLate = isHelpless(life, now);
    if (!isLate && now - this.#openedAt < this.#safeOpenInterval) {
      this.violations.push(`${life?.name} logs in ${now - this.#openedAt} ms after the last login`);
    }
    this.#openedAt = now;
    for (const [connection, owner] of this.#open) {
      const isThere = !isLate && !connection.lost.aborted && !isHelpless(owner, now);
      if (isThere) this.violations.push(`${life?.name} opens a connection while ${owner?.name} has one`);
    }
    const connection = await simulatedTransport(this.#cluster).open({}, options);
    this.#open.set(connection, life);
    const close = () => connection.close();
    if (life?.isDead) await close();
    life?.death.addEventListener('abort', close, { once: true });
    const forget = () => {
      this.#open.delete(connection);
      life?.death.removeEventListener('abort', close);
    };
    connection.lost.addEventListener('abort', forget, { once: true });
    return this.#watched(connection, life);
  }

  #watched(connection: Connection, life: Life | undefined): Connection {
    return new Proxy(connection, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key);
        if (typeof value !== 'function' || key === 'close' || key === Symbol.asyncDispose) return value;
        return async (...words: unknown[]) => {
          await life?.thaw();
          const operation = key === 'exec' ? this.#operationOf(String(words[0])) : undefined;
          this.#checkQuiet(life, operation);
          const isList = operation === 'list';
          if (isList) this.#beginList(life);
          try {
            return await (value as (...words: unknown[]) => Promise<unknown>)(...words);
          } finally {
            await life?.thaw();
            if (isList) this.#listing.delete(life);
          }
        };
      },
    });
  }

  #operationOf(script: string): Operation | undefined {
    if (script.includes('wherry_script=')) return 'submit';
    return this.#cluster.dialect.recognise(shellWords(script));
  }

  #checkQuiet(life: Life | undefined, operation: Operation | undefined): void {
    const now = this.#cluster.clock.now();
    const isQuiet = this.quiet !== undefined && now - this.quiet.since > allowedAfter;
    if (!isQuiet || isHelpless(life, now) || (this.quiet?.only ?? operation) !== operation) return;
    this.violations.push(`${life?.name} sends ${operation ?? 'something'} to a computer that is to be left alone`);
  }

  #beginList(life: Life | undefined): void {
    const now = this.#cluster.clock.now();
    const other = [...this.#listing].find((each) => each === life || !isHelpless(each, now));
    if (!isHelpless(life, now) && other !== undefined) {
      this.violations.push(`${life?.name} asks for a listing while ${other.name} waits for one`);
    }
    this.#listing.add(life);
  }
}

/** Milliseconds: what has begun goes on to its end, a step may be a heartbeat away. */
const allowedAfter = 200_000;

/** Dead, stopped, or stopped a moment ago, so that it does not know yet what has happened meanwhile. */
function isHelpless(life: Life | undefined, now: number): boolean {
  return life !== undefined && (life.isDead || life.isFrozen || now - life.thawedAt < 120_000);
}
