import type { BroadcastFilter } from '../communicator.js';
import { matches } from '../names.js';
import { encodeFrame } from './frames.js';
import { done, type HubClient } from './hub-client.js';
import type { FromHub, ToHub } from './protocol.js';

type Of<Type extends ToHub['type']> = Extract<ToHub, { type: Type }>;

/** The hub's broadcasts: who wants to hear which. */
export class HubBroadcasts {
  readonly #filters = new Map<HubClient, Map<number, readonly BroadcastFilter[]>>();

  listen(client: HubClient, { id, listener, filters }: Of<'listen'>): void {
    const known = this.#filters.get(client) ?? new Map<number, readonly BroadcastFilter[]>();
    this.#filters.set(client, known.set(listener, filters.map(given)));
    done(client, id);
  }

  listenNoMore(client: HubClient, { id, listener }: Of<'listen-no-more'>): void {
    this.#filters.get(client)?.delete(listener);
    done(client, id);
  }

  /** Tells every client once that has a listener who wants it. */
  broadcast(client: HubClient, { id, subject, sender, correlationId }: Of<'broadcast'>, body: Uint8Array): void {
    const message: FromHub = { type: 'broadcast', subject, sender, correlationId };
    let frame: Buffer | undefined;
    for (const [other, listeners] of this.#filters) {
      if (!isWanted(listeners, subject, sender)) continue;
      frame ??= encodeFrame(message, body);
      other.sendFrame(frame);
    }
    done(client, id);
  }

  leave(client: HubClient): void {
    this.#filters.delete(client);
  }
}

function isWanted(
  listeners: ReadonlyMap<number, readonly BroadcastFilter[]>,
  subject: string,
  sender: string | null,
): boolean {
  for (const filters of listeners.values()) {
    if (filters.some((filter) => matches(filter, subject, sender))) return true;
  }
  return false;
}

function given({ subject, sender }: { subject?: string | undefined; sender?: string | undefined }): BroadcastFilter {
  return { ...(subject === undefined ? {} : { subject }), ...(sender === undefined ? {} : { sender }) };
}
