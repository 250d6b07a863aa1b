import { boundedFailure } from './bodies.js';
import type { Connection } from './connection.js';
import type { FromHub, ToHub } from './protocol.js';

/** The hub's end of a connection with a client. */
export type HubClient = Connection<ToHub, FromHub>;

/** Answers what a client asked under a number. */
export function done(client: HubClient, id: number, body?: Uint8Array): void {
  client.send({ type: 'done', id }, body);
}

/** The same, where it went wrong. */
export function failed(client: HubClient, id: number, error: unknown): void {
  client.send({ type: 'failed', id, failure: boundedFailure(error) });
}
