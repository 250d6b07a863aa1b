import { describe, expect, it } from 'vitest';
import { callHooks, type LifecycleHooks, type ProcessChange } from '../../../src/process/hooks.js';
import type { ProcessState } from '../../../src/process/states.js';

const names = [
  'onRunning',
  'onWaiting',
  'onFinished',
  'onExcepted',
  'onKilled',
  'onTerminated',
  'onChange',
] as const satisfies (keyof LifecycleHooks)[];

function recorder(calls: string[], label = ''): LifecycleHooks {
  return Object.fromEntries(names.map((name) => [name, () => void calls.push(`${label}${name}`)]));
}

const change = (from: ProcessState, to: ProcessState): ProcessChange => ({ id: 1, from, to, stage: null });
const never = (error: unknown) => {
  throw error;
};

describe('hooks', () => {
  it.each([
    ['created', 'running', ['onRunning', 'onChange']],
    ['created', 'waiting', ['onWaiting', 'onChange']],
    ['running', 'running', ['onChange']],
    ['waiting', 'waiting', ['onChange']],
    ['running', 'finished', ['onFinished', 'onTerminated', 'onChange']],
    ['waiting', 'excepted', ['onExcepted', 'onTerminated', 'onChange']],
    ['created', 'killed', ['onKilled', 'onTerminated', 'onChange']],
  ] as const)('of a change from %s to %s are called in order, the general after the special', (from, to, expected) => {
    const calls: string[] = [];
    callHooks([recorder(calls)], change(from, to), never);
    expect(calls).toEqual(expected);
  });

  it('are called in the order of registration', () => {
    const calls: string[] = [];
    callHooks([recorder(calls, 'a.'), {}, recorder(calls, 'b.')], change('waiting', 'running'), never);
    expect(calls).toEqual(['a.onRunning', 'a.onChange', 'b.onRunning', 'b.onChange']);
  });

  it('that throw disturb neither the others nor the caller, and each error is told', () => {
    const calls: string[] = [];
    const errors: unknown[] = [];
    const broken: LifecycleHooks = {
      onFinished: () => {
        throw new Error('first');
      },
      onTerminated: () => void calls.push('same hook'),
      onChange: () => {
        throw 'second';
      },
    };
    callHooks([broken, recorder(calls)], change('running', 'finished'), (error) => errors.push(error));
    expect(calls).toEqual(['same hook', 'onFinished', 'onTerminated', 'onChange']);
    expect(errors).toEqual([new Error('first'), 'second']);
  });

  it('are told which process changed, and keep their own this', () => {
    class Counter implements LifecycleHooks {
      seen: ProcessChange[] = [];
      onChange(it: ProcessChange) {
        this.seen.push(it);
      }
    }
    const counter = new Counter();
    const told = { id: 7, from: 'waiting', to: 'waiting', stage: 'retrieve' } as const;
    callHooks([counter], told, never);
    expect(counter.seen).toEqual([told]);
  });
});
