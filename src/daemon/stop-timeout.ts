/** Milliseconds that workers have to end before they are killed, unless somebody says otherwise. */
export const stopTimeout = 20_000;

/**
 * Milliseconds that a stop may take beyond that. One who waits for it has more patience than all the others together
 * need, so that no stop runs into the time-out of the one who asked for it.
 */
export const stopRest = {
  /** For a killed worker to be gone: one may hang in a file system that does not answer. */
  killed: 5_000,
  /** For the last hook. */
  hook: 2_000,
  /** For the connections of the supervisor itself. */
  hub: 2_000,
  /** For the one who asked. */
  patience: 25_000,
} as const;
