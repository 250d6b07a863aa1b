/** More than Node adds for one socket. */
const mostKept = 8;

type Listener = (event: Event) => void;

/**
 * A signal by which the socket of the latest attempt to connect is destroyed. Node never takes back one of the listeners
 * that it adds for each socket, and a broker may be away for days: only the latest few are kept, for all others are of
 * sockets that have ended.
 */
export class SocketEnd {
  #ended = false;
  #listeners: Listener[] = [];

  /** As much of an AbortSignal as Node's sockets use. */
  readonly signal = {
    isAborted: () => this.#ended,
    get aborted(): boolean {
      return this.isAborted();
    },
    addEventListener: (_type: string, listener: Listener): void => {
      this.#listeners = [...this.#listeners, listener].slice(-mostKept);
    },
    removeEventListener: (_type: string, listener: Listener): void => {
      this.#listeners = this.#listeners.filter((one) => one !== listener);
    },
  };

  destroy(): void {
    this.#ended = true;
    for (const listener of this.#listeners) listener(new Event('abort'));
    this.#listeners = [];
  }
}
