import { describe, expect, it } from 'vitest';
import type { ToWorker } from '../../../src/daemon/messages.js';
import { failureOf, TaskDesk } from '../../../src/daemon/task-desk.js';
import { WherryError } from '../../../src/errors.js';

const order = { computerId: 1, task: { kind: 'test' } } as const;
const forEver = () => new AbortController().signal;

describe('the tasks of a worker', () => {
  it('are answered each by its own outcome', async () => {
    const sent: ToWorker[] = [];
    const desk = new TaskDesk((message) => sent.push(message) > 0);
    const [one, two] = [desk.give(order, forEver()), desk.give(order, forEver())];
    expect(sent).toEqual([1, 2].map((id) => ({ type: 'task', id, ...order })));
    desk.hear(2, { result: 'second' });
    desk.hear(1, { result: 'first' });
    desk.hear(7, { result: 'of nobody' });
    expect(await Promise.all([one, two])).toEqual([{ result: 'first' }, { result: 'second' }]);
  });

  it('fail in a way that may be tried again when the worker ends, or cannot be told', async () => {
    const failure = { failure: { code: 'back-pressure', transient: true } };
    const desk = new TaskDesk(() => true);
    const given = desk.give(order, forEver());
    desk.close();
    expect(await given).toMatchObject(failure);
    expect(await new TaskDesk(() => false).give(order, forEver())).toMatchObject(failure);
  });

  it('are given up when nobody waits any more', async () => {
    const sent: ToWorker[] = [];
    const desk = new TaskDesk((message) => sent.push(message) > 0);
    const abort = new AbortController();
    const given = desk.give(order, abort.signal);
    abort.abort();
    expect(sent.at(-1)).toEqual({ type: 'cancel', id: 1 });
    desk.hear(1, { failure: failureOf(new WherryError('aborted', 'stopped', { hint: 'so what' })) });
    expect(await given).toEqual({
      failure: { code: 'aborted', message: 'stopped', hint: 'so what', transient: false },
    });
  });
});
