import type { LifecycleHooks } from '../process/hooks.js';
import type { Repository } from '../store/repository.js';
import type { Store } from '../store/store.js';
import type { TransportQueue } from './transport-queue.js';

/** What drivers share. */
export interface DriverTools {
  readonly store: Store;
  readonly repository: Repository;
  readonly queue: TransportQueue;
  readonly hooks: readonly LifecycleHooks[];
  readonly now: () => number;
  readonly random: () => number;
  readonly nonce: () => string;
  /** Called whenever something ended and there may be more to do. */
  readonly wake: () => void;
}
