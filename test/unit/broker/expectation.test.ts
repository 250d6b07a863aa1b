import { expect, it } from 'vitest';
import { Expectation } from '../../../src/broker/expectation.js';
import { WherryError } from '../../../src/errors.js';

const tooLate = () => new WherryError('timed-out', 'too late');

it('settles once, with what comes first', async () => {
  const expectation = new Expectation<number>({}, tooLate);
  expect(expectation.settled).toBe(false);
  expectation.resolve(1);
  expectation.resolve(2);
  expectation.reject(new Error('late'));
  expect(expectation.settled).toBe(true);
  expect(await expectation.promise).toBe(1);
});

it('is given up when its time is over', async () => {
  const late = new Expectation({ until: performance.now() + 30 }, tooLate);
  await expect(late.promise).rejects.toMatchObject({ code: 'timed-out' });
  const past = new Expectation({ until: performance.now() - 1 }, tooLate);
  await expect(past.promise).rejects.toMatchObject({ code: 'timed-out' });
});

it('is given up when its signal comes, or has come, and leaves nothing at the signal', async () => {
  const stop = new AbortController();
  const expectation = new Expectation({ signal: stop.signal }, tooLate);
  stop.abort();
  await expect(expectation.promise).rejects.toMatchObject({ code: 'aborted' });
  await expect(new Expectation({ signal: stop.signal }, tooLate).promise).rejects.toMatchObject({ code: 'aborted' });
});
