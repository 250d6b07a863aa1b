import { afterEach, describe, expect, it } from 'vitest';
import { jobSchema } from '../../../src/config/job.js';

const beginTime = (value: unknown) => jobSchema.parse({ command: ['x'], beginTime: value }).beginTime;

describe('the time at which a job may begin', () => {
  const zone = process.env.TZ;
  afterEach(() => {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  });

  it('has its own zone, or that of this machine', () => {
    process.env.TZ = 'Europe/Berlin';
    expect(beginTime('2027-01-31T22:30')).toBe('2027-01-31T21:30:00.000Z');
    expect(beginTime('2027-07-31 22:30:05')).toBe('2027-07-31T20:30:05.000Z');
    expect(beginTime('2027-01-31T22:30Z')).toBe('2027-01-31T22:30:00.000Z');
    expect(beginTime('2027-01-31T22:30:00-05:00')).toBe('2027-02-01T03:30:00.000Z');
    expect(beginTime(beginTime('2027-01-31T22:30'))).toBe('2027-01-31T21:30:00.000Z');
  });

  it.each([
    '',
    'now',
    'tomorrow',
    '2027-01-31',
    '22:30',
    '2027-13-31T22:30',
    '2027-01-31T25:00',
    7,
    '2027-01-31T22:30\n',
  ])('is not %j', (value) => {
    expect(() => beginTime(value)).toThrow();
  });
});

describe('mail', () => {
  const mail = (value: unknown) => () => jobSchema.parse({ command: ['x'], mail: value });

  it('goes to one address, on one occasion at least', () => {
    expect(mail({ to: 'me.and+jobs@example.org', onFail: true })().mail).toEqual({
      ...{ to: 'me.and+jobs@example.org', onBegin: false, onEnd: false, onFail: true },
    });
    expect(mail({ to: 'me@example.org' })).toThrow('needs one of onBegin, onEnd and onFail');
    for (const to of ['', '-v', 'a b@c', 'a@b\n', 'a@b,c@d', '$(id)@b', 'a@b@c', '<a@b>']) {
      expect(mail({ to, onEnd: true })).toThrow('must be one address');
    }
  });
});
