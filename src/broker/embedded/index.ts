import type { Communicator, CommunicatorOptions } from '../communicator.js';
import { EmbeddedCommunicator } from './communicator.js';

export interface EmbeddedOptions extends CommunicatorOptions {
  /** Of the profile. It exists, and is out of reach of other users. */
  readonly directory: string;
  /**
   * One of the programs is the hub that the others are connected to. Those that live long and have little to do should
   * prefer to be it; the others are it while there is none of these. Default: `if-needed`.
   */
  readonly hub?: 'prefer' | 'if-needed';
  /** Open also when no connection comes at once, and connect when one can be had. Default: fail. */
  readonly waitForBroker?: boolean;
  /** Milliseconds between two signs of life; who gives none for five times as long is taken for dead. Default: 10 s. */
  readonly heartbeat?: number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** Milliseconds in which a connection comes when nothing is wrong. */
const usualTime = 300;

/**
 * Opens the broker that needs no service: the programs of one profile on one host carry each other's messages. When the
 * program that is the hub ends, another takes over at once, and the others connect to it.
 * Errors: `broker-unavailable` when the hub does not answer in time or the directory cannot be used.
 */
export async function openEmbedded(options: EmbeddedOptions): Promise<Communicator> {
  const { patience = 10_000, waitForBroker = false } = options;
  const communicator = new EmbeddedCommunicator({
    directory: options.directory,
    prefersToBeHub: options.hub === 'prefer',
    heartbeat: options.heartbeat ?? 10_000,
    now: options.now ?? Date.now,
    onProblem: options.onProblem ?? (() => undefined),
    attempts: options.attempts ?? 5,
    patience,
  });
  try {
    await communicator.opened(waitForBroker ? Math.min(patience, usualTime) : patience);
    return communicator;
  } catch (error) {
    if (waitForBroker) return communicator;
    await communicator[Symbol.asyncDispose]();
    throw error;
  }
}
