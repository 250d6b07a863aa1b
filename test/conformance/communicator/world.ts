import type { Communicator, CommunicatorOptions, Json } from '../../../src/broker/communicator.js';
import { WherryError } from '../../../src/errors.js';

/** One profile whose programs speak to each other: every test has one of its own, with nothing in it. */
export interface CommunicatorWorld extends AsyncDisposable {
  /** Another communicator of this profile, as another program would open it. The world closes all that are left. */
  open(options?: CommunicatorOptions): Promise<Communicator>;
  /** Breaks the connection of a communicator that this world opened; it connects again by itself. */
  cut?(communicator: Communicator): Promise<void>;
  /** Lets nothing more through to this communicator or from it, without any sign to either side. */
  stall?(communicator: Communicator): Promise<void>;
  /** How a program of its own opens a communicator of this profile. */
  readonly elsewhere?: Elsewhere;
}

/** A function that opens a communicator: the file below dist/src, its name, and what it is given. */
export interface Elsewhere {
  readonly module: string;
  readonly function: string;
  readonly options: Json;
}

export type OpenWorld = () => Promise<CommunicatorWorld>;

/** What a world offers beside `open`; tests that need more are skipped. */
export interface Abilities {
  readonly cut: boolean;
  readonly stall: boolean;
  readonly elsewhere: boolean;
}

/** Enough for everything on a machine that has much else to do. */
export const ample = 30_000;

/** The error that this fails with. */
export async function failureFrom(work: Promise<unknown>): Promise<WherryError> {
  let value: unknown;
  try {
    value = await work;
  } catch (error) {
    if (error instanceof WherryError) return error;
    throw error;
  }
  throw new Error(`it did not fail but gave ${JSON.stringify(value)}`);
}

export async function codeFrom(work: Promise<unknown>): Promise<string> {
  return (await failureFrom(work)).code;
}

/** Milliseconds that this takes, whether it fails or not. */
export async function millisecondsOf(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work().catch(() => undefined);
  return performance.now() - began;
}

/** A promise and what settles it. */
export function deferred<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
