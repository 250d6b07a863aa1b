import { WherryError } from '../../errors.js';
import { decodeBody, encodeBody } from '../body.js';
import type { Address, Method } from '../communicator.js';
import { boundedFailure, noBody } from './bodies.js';
import type { HubConnection } from './link.js';
import type { FromHub } from './protocol.js';

/** The addresses that this communicator answers to, and the calls that are being answered. */
export class Served {
  readonly #methods = new Map<Address, Readonly<Record<string, Method>>>();
  readonly #working = new Map<number, AbortController>();

  get addresses(): readonly Address[] {
    return [...this.#methods.keys()];
  }

  /** Errors: `name-taken` when this communicator answers to it already. */
  add(address: Address, methods: Readonly<Record<string, Method>>): void {
    if (this.#methods.has(address)) throw new WherryError('name-taken', `somebody answers to ${address} already`);
    this.#methods.set(address, methods);
  }

  remove(address: Address): void {
    this.#methods.delete(address);
  }

  /** Answers a call, whatever becomes of it. */
  async answer(
    connection: HubConnection,
    { call, address, method, timeout }: Extract<FromHub, { type: 'call' }>,
    body: Buffer,
  ): Promise<void> {
    const control = new AbortController();
    this.#working.set(call, control);
    const timer = setTimeout(() => control.abort(), timeout);
    try {
      const answer = await this.#method(address, method)(decodeBody(body), { signal: control.signal });
      connection.send({ type: 'answer', call }, encodeBody(answer));
    } catch (error) {
      connection.send({ type: 'answer', call, failure: boundedFailure(error) }, noBody);
    } finally {
      clearTimeout(timer);
      this.#working.delete(call);
    }
  }

  /** Nobody waits for this answer any more. */
  forget(call: number): void {
    this.#working.get(call)?.abort();
  }

  /** Nobody waits for any of them. */
  forgetAll(): void {
    for (const control of this.#working.values()) control.abort();
  }

  #method(address: string, name: string): Method {
    const methods = this.#methods.get(address as Address);
    if (methods === undefined) throw new WherryError('unroutable', `nobody answers to ${address}`);
    const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
    if (method === undefined) throw new WherryError('message-refused', `${address} has no method ${name}`);
    return method;
  }
}
