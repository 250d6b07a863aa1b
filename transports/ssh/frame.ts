/** Drops what a stream brings before the marker line; afterwards gives everything. */
export class FrameReader {
  readonly #marker: Buffer;
  #held: Buffer = Buffer.alloc(0);
  #started = false;
  #noise = '';
  #processId: number | undefined;
  #inDirectory = true;

  constructor(marker: string) {
    this.#marker = Buffer.from(`${marker} `);
  }

  /** The part of `chunk` that belongs to the command; undefined when there is none. */
  push(chunk: Buffer): Buffer | undefined {
    if (this.#started) return chunk;
    const text = this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : chunk;
    const at = text.indexOf(this.#marker);
    const end = at < 0 ? -1 : text.indexOf(10, at);
    if (end < 0) {
      const keep = at < 0 ? Math.max(0, text.length - this.#marker.length) : at;
      this.#addNoise(text.subarray(0, keep));
      this.#held = Buffer.from(text.subarray(keep));
      return undefined;
    }
    this.#addNoise(text.subarray(0, at));
    const [processId, status] = text.toString('latin1', at + this.#marker.length, end).split(' ');
    this.#processId = Number(processId);
    this.#inDirectory = status === '0';
    this.#started = true;
    this.#held = Buffer.alloc(0);
    return end + 1 < text.length ? text.subarray(end + 1) : undefined;
  }

  /** Has the marker come? If not, the command has not begun. */
  get started(): boolean {
    return this.#started;
  }

  /** Process id of the shell on the computer. */
  get processId(): number | undefined {
    return this.#processId;
  }

  /** Could the shell change to the directory of the command? */
  get inDirectory(): boolean {
    return this.#inDirectory;
  }

  /** The beginning of what came before the marker. */
  get noise(): string {
    return this.#started ? this.#noise : this.#noise + this.#held.toString();
  }

  #addNoise(part: Buffer): void {
    if (this.#noise.length < 2_000) this.#noise += part.subarray(0, 2_000).toString();
  }
}
