import type { ProcessState } from './states.js';

/** What listeners are told of a process, after the change is committed. */
export interface ProcessChange {
  readonly id: number;
  readonly from: ProcessState;
  readonly to: ProcessState;
  readonly stage: string | null;
}

/**
 * Hooks into the life of processes, registered by code and never saved. They come after the commit, in the order of
 * registration; one that throws is reported by `onHookError` and disturbs neither the process nor the other hooks.
 */
export interface LifecycleHooks {
  onRunning?(change: ProcessChange): void;
  onWaiting?(change: ProcessChange): void;
  onFinished?(change: ProcessChange): void;
  onExcepted?(change: ProcessChange): void;
  onKilled?(change: ProcessChange): void;
  /** After any of the three ends. */
  onTerminated?(change: ProcessChange): void;
  /** A calcjob went to its next stage, or a process entered any state. */
  onChange?(change: ProcessChange): void;
}

const hookOfState = {
  running: 'onRunning',
  waiting: 'onWaiting',
  finished: 'onFinished',
  excepted: 'onExcepted',
  killed: 'onKilled',
} as const;

/** Calls the hooks that a change concerns. */
export function callHooks(
  hooks: readonly LifecycleHooks[],
  change: ProcessChange,
  onHookError: (error: unknown) => void,
): void {
  for (const hook of hooks) {
    const calls: ((change: ProcessChange) => void)[] = [];
    if (change.to !== 'created' && change.from !== change.to)
      calls.push((it) => hook[hookOfState[change.to as keyof typeof hookOfState]]?.(it));
    if (change.to === 'finished' || change.to === 'excepted' || change.to === 'killed')
      calls.push((it) => hook.onTerminated?.(it));
    calls.push((it) => hook.onChange?.(it));
    for (const call of calls) {
      try {
        call(change);
      } catch (error) {
        onHookError(error);
      }
    }
  }
}
