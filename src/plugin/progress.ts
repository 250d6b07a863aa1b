import { WherryError } from '../errors.js';
import type { Exec, ExecOptions, ExecResult, TransferOptions } from './transport.js';

/** A command of a transfer may take a day as long as it makes progress; `Progress` ends it when it makes none. */
const day = 86_400_000;

/** Bytes that any computer reads and hashes in a second, with room to spare. */
const slowestHashing = 20e6;

/**
 * Watches over one transfer: ends it when nothing moved for `timeout` milliseconds, when the caller's signal says so,
 * when it gets larger than `maxBytes`, or when `fail` is called. Its first failure is what the transfer throws.
 */
export class Progress implements Disposable {
  readonly #options: TransferOptions;
  readonly #controller = new AbortController();
  readonly #onAbort = () => this.#controller.abort();
  #failure: unknown;
  #timer: NodeJS.Timeout | undefined;
  #bytes = 0;

  constructor(options: TransferOptions) {
    this.#options = options;
    if (options.signal?.aborted) this.#onAbort();
    options.signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.allow(0);
  }

  /** Counts bytes of content that moved; 0 for a sign of life. Throws `output-too-large` beyond `maxBytes`. */
  add(bytes: number): void {
    this.#count(bytes);
    if (this.#failure !== undefined) throw this.#failure;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    const { maxBytes = Number.POSITIVE_INFINITY, onProgress } = this.#options;
    if (this.#bytes > maxBytes) this.fail(tooLarge(maxBytes));
    this.#timer?.refresh();
    if (bytes > 0) onProgress?.(this.#bytes);
  }

  /** Gives the computer time to hash so many bytes in silence, beside the usual timeout. */
  allow(bytes: number): void {
    clearTimeout(this.#timer);
    const wait = Math.min(this.#options.timeout + (bytes / slowestHashing) * 1000, day);
    this.#timer = setTimeout(() => this.fail(idle(wait)), wait);
  }

  /** Stops the transfer with this error, unless something stopped it before. Returns the error that counts. */
  fail(error: unknown): unknown {
    if (!this.#controller.signal.aborted) this.#failure = error;
    this.#controller.abort();
    return this.#failure ?? error;
  }

  /** Waits for a step that goes another way than through a command; on failure as `run`. */
  async step<Result>(work: (options: TransferOptions) => Promise<Result>): Promise<Result> {
    try {
      const result = await work(this.#part());
      if (this.#failure !== undefined) throw this.#failure;
      return result;
    } catch (error) {
      throw this.#failure ?? error;
    }
  }

  /** Runs a command of the transfer. Rejects with the failure that stopped the transfer, if one did. */
  async run(exec: Exec, script: string, options: Omit<ExecOptions, 'timeout' | 'signal'> = {}): Promise<ExecResult> {
    return await this.step(() => exec(script, { ...options, timeout: day, signal: this.#controller.signal }));
  }

  /** What a faster way of transfer is told: the same watch, counted on from here. */
  #part(): TransferOptions {
    const before = this.#bytes;
    return {
      timeout: this.#options.timeout,
      signal: this.#controller.signal,
      onProgress: (bytes) => this.#count(before + bytes - this.#bytes),
    };
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
  }
}

function idle(milliseconds: number): WherryError {
  return new WherryError('timed-out', `nothing moved for ${Math.round(milliseconds) / 1000} s`, {
    transient: true,
    hint: 'the connection or the file system of the computer may hang; it is tried again',
  });
}

function tooLarge(maxBytes: number): WherryError {
  return new WherryError('output-too-large', `more than the allowed ${maxBytes} bytes would be transferred`, {
    hint: 'name fewer or smaller files, or raise the limit',
  });
}
