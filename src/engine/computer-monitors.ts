import type { ProcessRow } from '../store/tables.js';
import type { ComputerHands } from './computer-hands.js';
import { dueForMonitors, lookAgain, type MonitorTools, runMonitors } from './monitor-work.js';

/** Calls the monitors of the jobs of one computer at their times. */
export class ComputerMonitors {
  readonly #hands: ComputerHands;
  /** When to look for monitors that are due, and whether there are any. */
  #lookAt = 0;
  #any = false;

  constructor(hands: ComputerHands) {
    this.#hands = hands;
  }

  /** There may be more of them than the last look found. */
  lookSoon(): void {
    this.#lookAt = 0;
  }

  /** @returns when the next monitors may be due */
  async start(at: number): Promise<number | undefined> {
    if (this.#lookAt > at) return this.#any ? this.#lookAt : undefined;
    const { tools, computerId, working } = this.#hands;
    const { rows, nextAt } = await dueForMonitors(tools.store, computerId, at, working.ids);
    for (const row of rows) this.#watch(row);
    this.#lookAt = nextAt ?? at + lookAgain;
    this.#any = nextAt !== undefined;
    return nextAt;
  }

  /** Calls the monitors of a process; they take long, and need the connection for a moment only. */
  #watch(row: ProcessRow): void {
    const { tools, lease, working, onConnection, failed } = this.#hands;
    const { store, now } = tools;
    const abort = new AbortController();
    const { signal } = abort;
    const work = async () => {
      try {
        const lend: MonitorTools['onConnection'] = (use) => onConnection(row, signal, use);
        await runMonitors({ store, now, signal, lease, onConnection: lend }, row);
        this.lookSoon();
      } catch (error) {
        if (!signal.aborted) await failed(row, error);
      }
    };
    working.add(row.id, { abort, stage: 'monitor', waiting: true }, work());
  }
}
