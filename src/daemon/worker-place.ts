import type { ChildProcess } from 'node:child_process';
import { messageOf } from '../errors.js';
import { readLines } from './line-reader.js';
import type { Log, LogEntry } from './log.js';
import type { DaemonEvent, FromWorker, Heartbeat, ToWorker, WorkerEnd, WorkerStatus } from './messages.js';
import { earlyEnds, type RestartTiming } from './restart-policy.js';
import { stopRest } from './stop-timeout.js';
import type { Wear, WearVerdict } from './wear.js';

/** Milliseconds. */
export interface PlaceTiming extends RestartTiming {
  /** A worker that says nothing for so long hangs: its main loop gives no sign of life, so it renews no lease either. */
  readonly silence: number;
  /** Time to become ready. */
  readonly start: number;
  /** Time for the last words of one that has ended: a program that it started may keep its streams open. */
  readonly lastWords: number;
}

export interface PlaceTools {
  readonly fork: () => ChildProcess;
  readonly log: Log;
  readonly timing: PlaceTiming;
  /** Judges a worker that is about to start. */
  readonly wear: () => Wear;
  readonly tell: (event: DaemonEvent) => void;
  /** Something changed: a worker became ready, or ended. */
  readonly changed: (place: WorkerPlace) => void;
}

/** The place of one worker: at most one process at a time, and what became of those before it. */
export class WorkerPlace {
  readonly number: number;
  readonly #tools: PlaceTools;
  #child: ChildProcess | undefined;
  #state: WorkerStatus['state'] = 'waiting';
  #code: string | null = null;
  #wear: Wear | undefined;
  #leaving = false;
  #startedAt = 0;
  #readyAt: number | undefined;
  #heard = 0;
  #heartbeat: Heartbeat | null = null;
  #restarts = -1;
  #earlyEnds = 0;
  #lastEnd: WorkerEnd | null = null;
  #lastWords = '';
  #killedFor: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #nextStart: number | undefined;
  #drainTimeout = 0;
  /** By a clock that nobody sets. */
  #drainUntil = Number.POSITIVE_INFINITY;
  /** When a worker that was killed must have ended. */
  #goneBy = Number.POSITIVE_INFINITY;

  constructor(number: number, tools: PlaceTools) {
    this.number = number;
    this.#tools = tools;
  }

  get state(): WorkerStatus['state'] {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  /** Ends in a row that came soon after the start. */
  get earlyEnds(): number {
    return this.#earlyEnds;
  }

  get restarts(): number {
    return Math.max(0, this.#restarts);
  }

  get lastEnd(): WorkerEnd | null {
    return this.#lastEnd;
  }

  get startedAt(): number {
    return this.#startedAt;
  }

  /** Steps and computers that its worker has, as far as it has told. */
  get load(): Pick<Heartbeat, 'computers' | 'steps'> {
    return this.#heartbeat ?? { computers: 0, steps: 0 };
  }

  /** Was its worker asked to end, so that no other takes its place? */
  get leaving(): boolean {
    return this.#leaving;
  }

  /** Why its worker, which is ready, shall be replaced; undefined when it need not be. */
  worn(now: number): WearVerdict | undefined {
    return this.#state === 'ready' ? this.#wear?.verdict(now - this.#startedAt) : undefined;
  }

  /** Milliseconds since its worker became ready; undefined when none is. */
  readyFor(now: number): number | undefined {
    return this.#readyAt === undefined || this.#child === undefined ? undefined : now - this.#readyAt;
  }

  start(): void {
    this.hold();
    this.#state = 'starting';
    this.#leaving = false;
    this.#drainUntil = this.#goneBy = Number.POSITIVE_INFINITY;
    this.#startedAt = this.#heard = Date.now();
    this.#wear = this.#tools.wear();
    this.#code = null;
    this.#readyAt = this.#killedFor = undefined;
    this.#heartbeat = null;
    this.#lastWords = '';
    this.#restarts += 1;
    try {
      this.#attend(this.#tools.fork());
    } catch (error) {
      // The system has no memory or no places for more programs: a failed start like any other.
      this.#lastWords = messageOf(error);
      this.#noteEnd(null, null);
    }
  }

  #attend(child: ChildProcess): void {
    this.#child = child;
    child.on('message', (message) => this.#hear(message as FromWorker));
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) readLines(stream, (line) => this.#hearWords(line));
    }
    // `close` comes after the last words were read, `error` when it could not even be started.
    child.once('error', (error) => {
      this.#lastWords = error.message;
      if (child.pid === undefined) this.#ended(child, null, null);
    });
    child.once('close', (exitCode, signal) => this.#ended(child, exitCode, signal));
    child.once('exit', (exitCode, signal) => {
      const timer = setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
        this.#ended(child, exitCode, signal);
      }, this.#tools.timing.lastWords);
      child.once('close', () => clearTimeout(timer));
    });
    this.#log('info', 'started');
    this.#tools.tell({ type: 'worker-started', worker: this.number, pid: child.pid ?? null });
  }

  /** Starts a worker after a pause, in milliseconds. */
  startLater(pause: number): void {
    this.hold();
    this.#nextStart = Date.now() + pause;
    this.#timer = setTimeout(() => this.start(), pause);
  }

  /** Starts none until somebody says so. */
  hold(): void {
    clearTimeout(this.#timer);
    this.#timer = this.#nextStart = undefined;
  }

  /** Was its last worker killed by us? */
  get killed(): boolean {
    return this.#killedFor !== undefined;
  }

  /**
   * Asks its worker to end, and kills it when it has not after `timeout` milliseconds; no other takes its place. Asked
   * again, it gets less time, never more: somebody counts on the time that was said first.
   */
  drain(timeout: number): void {
    this.hold();
    if (this.#child === undefined) return;
    const until = performance.now() + timeout;
    if (until >= this.#drainUntil) return;
    const isStarting = this.#state === 'starting';
    this.#drainTimeout = timeout;
    this.#drainUntil = until;
    this.#state = 'draining';
    this.#leaving = true;
    // One that is only being loaded ends by the signal at once; later the signal asks for the same as the word.
    if (!this.tell({ type: 'drain', timeout }) || isStarting) this.#child.kill('SIGTERM');
  }

  /** Has its worker not even ended by being killed? */
  get lost(): boolean {
    return this.#child !== undefined && performance.now() > this.#goneBy;
  }

  /** Waits no more for a worker that cannot be killed, and lets this program end without it. */
  giveUp(): void {
    const child = this.#child;
    if (child === undefined) return;
    this.#log('error', 'is not waited for any more: the system does not end it');
    child.unref();
    if (child.connected) child.disconnect();
    for (const stream of [child.stdout, child.stderr]) stream?.destroy();
  }

  /** Tells its worker something; false when there is no way to. */
  tell(message: ToWorker): boolean {
    if (!this.#child?.connected) return false;
    this.#child.send(message, () => undefined);
    return true;
  }

  /** Ends its worker at once: what it was writing is fenced off, and what it held is taken over. */
  kill(reason: string): void {
    if (this.#child === undefined || this.#killedFor !== undefined) return;
    this.#killedFor = reason;
    this.#log('warning', `killed: ${reason}`);
    this.#goneBy = performance.now() + stopRest.killed;
    this.#child.kill('SIGKILL');
  }

  /** So many milliseconds of silence were not its worker's fault. */
  excuse(milliseconds: number): void {
    this.#heard = Math.min(Date.now(), this.#heard + milliseconds);
  }

  /** Kills a worker that hangs or takes too long. */
  watch(now: number): void {
    const { silence, start } = this.#tools.timing;
    if (this.#state === 'starting' && now - this.#startedAt > start)
      this.kill(`not ready ${start / 1_000} s after its start`);
    if (this.#state === 'draining' && performance.now() > this.#drainUntil) {
      this.kill(`not ended ${this.#drainTimeout / 1_000} s after it was asked to`);
    }
    if (this.#state === 'ready' && now - this.#heard > silence) this.kill(`no sign of life for ${silence / 1_000} s`);
  }

  status(): WorkerStatus {
    const running = this.#child !== undefined;
    return {
      number: this.number,
      pid: this.#child?.pid ?? null,
      state: this.#state,
      code: running ? this.#code : null,
      startedAt: running ? isoTime(this.#startedAt) : null,
      heartbeatAt: running && this.#heartbeat !== null ? isoTime(this.#heard) : null,
      heartbeat: this.#heartbeat,
      restarts: this.restarts,
      nextStartAt: this.#nextStart === undefined ? null : isoTime(this.#nextStart),
      lastEnd: this.#lastEnd,
    };
  }

  #hear(message: FromWorker): void {
    this.#heard = Date.now();
    if (message.type === 'heartbeat') {
      const { type: _, ...heartbeat } = message;
      this.#heartbeat = heartbeat;
      this.#wear?.weigh(heartbeat.memory);
    } else if (this.#state === 'starting') {
      this.#state = 'ready';
      this.#readyAt = this.#heard;
      this.#code = message.code;
      this.#log('info', 'ready');
      this.#tools.tell({ type: 'worker-ready', worker: this.number, pid: this.pid ?? null });
      this.#tools.changed(this);
    }
  }

  #hearWords(line: string): void {
    this.#lastWords = line.trim().slice(0, 1_000);
    this.#log('warning', line);
  }

  #ended(child: ChildProcess, exitCode: number | null, signal: NodeJS.Signals | null): void {
    // One that could not be started ends twice, perhaps when another is there already.
    if (this.#child === child) this.#noteEnd(exitCode, signal);
  }

  #noteEnd(exitCode: number | null, signal: NodeJS.Signals | null): void {
    const now = Date.now();
    const asked = this.#leaving;
    const reason = this.#killedFor ?? (this.#lastWords || endText(exitCode, signal));
    const well = exitCode === 0;
    this.#log(asked || well ? 'info' : 'error', `ended: ${well ? endText(exitCode, signal) : reason}`);
    this.#lastEnd = { at: isoTime(now), exitCode, signal, reason };
    // One that ended well was asked to by somebody: that is no sign of a defect.
    this.#earlyEnds = well ? 0 : earlyEnds(this.#earlyEnds, this.readyFor(now) ?? 0, this.#tools.timing);
    this.#child = this.#readyAt = undefined;
    this.#heartbeat = null;
    this.#state = 'waiting';
    this.#tools.tell({ type: 'worker-ended', worker: this.number, asked, reason: this.#lastEnd.reason });
    this.#tools.changed(this);
  }

  #log(level: LogEntry['level'], message: string): void {
    const pid = this.#child?.pid;
    this.#tools.log({ level, message, worker: this.number, ...(pid === undefined ? {} : { pid }) });
  }
}

function endText(exitCode: number | null, signal: string | null): string {
  return signal === null ? `exit code ${exitCode}` : `signal ${signal}`;
}

/** A time of the clock as ISO 8601. */
export function isoTime(time: number): string {
  return new Date(time).toISOString();
}
