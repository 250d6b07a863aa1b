/** Somewhere to wait for whatever comes first: a word from elsewhere, a time, an end. A word that comes before is kept. */
export class Wakeable {
  #woken = false;
  #resolve: (() => void) | undefined;

  wake(): void {
    this.#woken = true;
    this.#resolve?.();
  }

  /** Waits until somebody says a word, so many milliseconds have passed, or the signal comes. */
  async wait(milliseconds: number, signal: AbortSignal): Promise<void> {
    if (!this.#woken && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', done);
          this.#resolve = undefined;
          resolve();
        };
        const timer = setTimeout(done, milliseconds);
        signal.addEventListener('abort', done, { once: true });
        this.#resolve = done;
      });
    }
    this.#woken = false;
  }
}
