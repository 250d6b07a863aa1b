import { describe, expect, it } from 'vitest';
import { parseServiceUrl, services } from '../../../src/config/service-url.js';

describe('the URL of a service', () => {
  it('is taken apart, so that the password stands nowhere else', () => {
    expect(parseServiceUrl('postgres://me:p%40ss%2Fword@db:5433/wherry', services.store)).toEqual({
      url: 'postgres://me@db:5433/wherry',
      password: 'p@ss/word',
    });
    expect(parseServiceUrl('amqps://mq', services.broker)).toEqual({ url: 'amqps://mq', password: undefined });
  });

  it.each([
    ['postgres//nonsense', 'cannot be read'],
    ['mysql://me@db/wherry', 'must begin with postgres://'],
    ['postgres:///wherry', 'names no host'],
    ['postgres://me@db', 'names no database'],
    ['postgres://me@db/', 'names no database'],
    ['postgres://me@db/wherry#1', 'behind #'],
    ['postgres://me@db/wherry?password=geheim', 'among its options'],
    ['postgres://me:%zz@db/wherry', 'percent-encoded'],
    ['postgres://me:geheim@db:70000/wherry', 'cannot be read'],
    ['mysql://me:geheim@db/wherry', 'must begin with'],
    ['postgres://me:ge@heim@db', 'names no database'],
  ])('refuses %s and never shows a password', (url, why) => {
    const refusal = failureOf(() => parseServiceUrl(url, services.store));
    expect(refusal).toMatchObject({ code: 'store-failed', transient: false, message: expect.stringContaining(why) });
    expect(refusal.message).not.toMatch(/geheim|heim@/);
  });
});

function failureOf(work: () => unknown): Error {
  try {
    work();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('it did not fail');
}
