import type { WherryError } from '../errors.js';
import type { LifecycleHooks } from '../process/hooks.js';
import type { Repository } from '../store/repository.js';
import type { Store } from '../store/store.js';
import type { TransportQueue } from './transport-queue.js';

/** What drivers of lanes share. */
export interface LaneTools {
  readonly store: Store;
  readonly repository: Repository;
  readonly hooks: readonly LifecycleHooks[];
  readonly now: () => number;
  readonly random: () => number;
  /** Called whenever something ended and there may be more to do. */
  readonly wake: () => void;
  /** Called when the database failed in a way that passes: nothing new is begun until it answers. */
  readonly storeTrouble: (error: WherryError) => void;
}

/** What drivers of computers share. */
export interface DriverTools extends LaneTools {
  readonly queue: TransportQueue;
  readonly nonce: () => string;
}
