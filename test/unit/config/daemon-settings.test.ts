import { describe, expect, it } from 'vitest';
import { daemonSettingsSchema } from '../../../src/config/daemon-settings.js';

describe('the settings of a daemon', () => {
  it('hold durations in milliseconds and sizes in bytes, and need none', () => {
    const given = { maxAge: '12h', maxMemory: '2GiB', onStatus: ['notify', '--all'], stopTimeout: 45 };
    expect(daemonSettingsSchema.parse(given)).toEqual({
      maxAge: 43_200_000,
      maxMemory: 2 ** 31,
      onStatus: ['notify', '--all'],
      stopTimeout: 45_000,
    });
    expect(daemonSettingsSchema.parse({})).toEqual({});
  });

  it.each<[object, string]>([
    [{ maxAge: '10s' }, 'between 1m and 365d'],
    [{ maxAge: 'long' }, 'write for example'],
    [{ maxMemory: '64MB' }, 'between 256MiB'],
    [{ maxMemory: '1 potato' }, 'write for example'],
    [{ stopTimeout: 0 }, 'between 1s and 1h'],
    [{ onStatus: [] }, 'names no program'],
    [{ onStatus: [''] }, 'names no program'],
    [{ onStatus: ['a\0b'] }, 'NUL'],
    [{ onStatus: 'mail me' }, 'array'],
    [{ maxage: '1h' }, 'maxage'],
  ])('%j are refused', (given, words) => {
    const result = daemonSettingsSchema.safeParse(given);
    expect(result.success).toBe(false);
    expect(JSON.stringify(result.error?.issues)).toContain(words);
  });
});
