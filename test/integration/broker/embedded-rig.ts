import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../../rigs/until.js';

const program = fileURLToPath(new URL('./embedded-program.js', import.meta.url));

/** A program of its own, with one communicator. */
export class Program implements AsyncDisposable {
  /** What it told by itself. */
  readonly events: Record<string, unknown>[] = [];
  readonly #child: ChildProcess;
  readonly #answers: { result?: unknown; error?: string }[] = [];

  constructor() {
    this.#child = fork(program, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: [] });
    this.#child.on('message', (message: { event?: Record<string, unknown>; result?: unknown; error?: string }) => {
      if (message.event === undefined) this.#answers.push(message);
      else this.events.push(message.event);
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Begins something; `answer` waits for what comes of it. */
  begin(name: string, argument?: unknown): void {
    this.#child.send({ do: name, with: argument });
  }

  async answer(): Promise<unknown> {
    const answer = await until(() => this.#answers.shift(), {
      what: 'an answer of the program',
      timeout: 60_000,
      interval: 5,
    });
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.result;
  }

  async ask(name: string, argument?: unknown): Promise<unknown> {
    this.begin(name, argument);
    return this.answer();
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Waits until it has ended. */
  async ended(): Promise<void> {
    if (this.alive) await once(this.#child, 'exit');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal('SIGKILL');
    await this.ended();
  }
}

/** The program that has the lock of the broker; undefined when none has. */
export function hubOf(directory: string): number | undefined {
  const { ino } = statSync(path.join(directory, 'broker.lock'));
  const holders = readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , kind, , place]) => kind === 'WRITE' && place?.endsWith(`:${ino}`))
    .map(([, , , , pid]) => Number(pid));
  return holders[0];
}
