import { WherryError } from '../../errors.js';
import { done, failed, type HubClient } from './hub-client.js';
import type { ToHub } from './protocol.js';

type Of<Type extends ToHub['type']> = Extract<ToHub, { type: Type }>;

/** A call that has not been answered. */
interface Call {
  readonly caller: HubClient;
  /** The caller's number for it. */
  readonly id: number;
  readonly server: HubClient;
}

/** The hub's calls: who answers to which address, and whose answers are awaited. */
export class HubCalls {
  readonly #servers = new Map<string, HubClient>();
  /** By the number that their servers know. */
  readonly #calls = new Map<number, Call>();
  #last = 0;

  /** How many wait for an answer. */
  get pending(): number {
    return this.#calls.size;
  }

  serve(client: HubClient, message: Of<'serve'>): void {
    if (this.#isTaken(client, message.address)) {
      // Its owner may have died a moment ago, and only its end has not been heard yet.
      setImmediate(() => setImmediate(() => this.#serveNow(client, message)));
    } else this.#serveNow(client, message);
  }

  #serveNow(client: HubClient, { id, address }: Of<'serve'>): void {
    if (this.#isTaken(client, address)) {
      failed(client, id, new WherryError('name-taken', `somebody answers to ${address} already`));
    } else if (!client.over) {
      this.#servers.set(address, client);
      done(client, id);
    }
  }

  /** Whoever connects again may ask twice for what is his: for what he had, and for what he was about to ask for. */
  #isTaken(client: HubClient, address: string): boolean {
    const server = this.#servers.get(address);
    return server !== undefined && server !== client;
  }

  serveNoMore(client: HubClient, { id, address }: Of<'serve-no-more'>): void {
    if (this.#servers.get(address) === client) this.#servers.delete(address);
    done(client, id);
  }

  call(caller: HubClient, { id, recipient, method, timeout }: Of<'call'>, body: Uint8Array): void {
    const server = this.#servers.get(recipient);
    if (server === undefined) {
      failed(caller, id, new WherryError('unroutable', `nobody answers to ${recipient}`));
      return;
    }
    this.#last += 1;
    this.#calls.set(this.#last, { caller, id, server });
    server.send({ type: 'call', call: this.#last, address: recipient, method, timeout }, body);
  }

  answer(server: HubClient, { call: number, failure }: Of<'answer'>, body: Uint8Array): void {
    const call = this.#calls.get(number);
    // Nobody waits any more, or it is none of this client's.
    if (call?.server !== server) return;
    this.#calls.delete(number);
    if (failure === undefined) done(call.caller, call.id, body);
    else call.caller.send({ type: 'failed', id: call.id, failure });
  }

  /** The caller does not wait any more; the one who works on the answer hears it. */
  forget(caller: HubClient, id: number): void {
    for (const [number, call] of this.#calls) if (call.caller === caller && call.id === id) this.#drop(number, call);
  }

  /** A client has gone: nobody answers to its addresses, and nobody waits for what it asked. */
  leave(client: HubClient): void {
    for (const [address, server] of this.#servers) if (server === client) this.#servers.delete(address);
    for (const [number, call] of this.#calls) {
      if (call.caller === client) this.#drop(number, call);
      else if (call.server === client) {
        this.#calls.delete(number);
        const reason = 'the one who was called has gone before the answer came';
        failed(call.caller, call.id, new WherryError('broker-lost', reason, { transient: true }));
      }
    }
  }

  #drop(number: number, { server }: Call): void {
    this.#calls.delete(number);
    server.send({ type: 'forget', call: number });
  }
}
