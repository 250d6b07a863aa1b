import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backoff } from '../../../src/engine/backoff.js';
import { ComputerUnavailable } from '../../../src/engine/computer-unavailable.js';
import { consequenceOf } from '../../../src/engine/failure.js';
import { type ErrorCode, errorCodes, WherryError } from '../../../src/errors.js';
import type { ProcessRow } from '../../../src/store/tables.js';
import { insertProcess } from '../process/stored-process.js';
import { temporaryStore } from '../store/temporary-store.js';

const now = 5_000_000;
const error = (code: ErrorCode, transient = false) => new WherryError(code, 'message', { transient, hint: 'hint' });
const systemError = Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC', syscall: 'write' });

describe('the consequence of a failed verb', () => {
  let row: ProcessRow;
  beforeAll(async () => {
    await using rig = await temporaryStore();
    row = await insertProcess(rig.store, { state: 'waiting', stage: 'upload' });
  });
  afterAll(() => undefined);

  /** In one word: what becomes of a process with so many failed attempts. */
  function verdict(thrown: unknown, attempts = 0): string {
    const consequence = consequenceOf({ ...row, attempts }, thrown, now, 0.5);
    if (consequence.kind === 'except') return 'excepted';
    const { changes } = consequence;
    if (changes.paused === 1) return 'paused';
    const wait = Number(changes.due_at) - now;
    return `${changes.attempts === undefined ? 'free' : 'counted'} wait of ${wait / 1000}s`;
  }

  it.each<[string, unknown, number, string]>([
    ['the computer cannot be reached', new ComputerUnavailable('c', error('connection-failed')), 4, 'free wait of 0s'],
    ['the login is refused', new ComputerUnavailable('c', error('authentication-refused')), 4, 'free wait of 0s'],
    ['the connection broke', error('connection-lost', true), 4, 'free wait of 0s'],
    ['a limit of the site', error('back-pressure', true), 4, 'free wait of 30s'],
    ['an unknown submission', error('submission-unknown', true), 4, 'free wait of 3s'],
    ['a time-out, first', error('timed-out', true), 0, 'counted wait of 20s'],
    ['a time-out, second', error('timed-out', true), 1, 'counted wait of 40s'],
    ['a time-out, fourth', error('timed-out', true), 3, 'counted wait of 160s'],
    ['a time-out, fifth', error('timed-out', true), 4, 'paused'],
    ['a time-out, sixth', error('timed-out', true), 5, 'paused'],
    ['a silent scheduler', error('scheduler-unavailable', true), 0, 'counted wait of 20s'],
    ['a full disk there', error('disk-full'), 0, 'paused'],
    ['no rights there', error('permission-denied'), 0, 'paused'],
    ['a broken input', error('bad-input'), 0, 'paused'],
    ['a full disk here', systemError, 0, 'counted wait of 20s'],
    ['a full disk here, for the fifth time', systemError, 4, 'paused'],
    ['a defect of ours', error('internal'), 0, 'excepted'],
    ['a saved state that cannot be read', error('checkpoint-unreadable'), 0, 'excepted'],
    ['any other exception', new TypeError('x is undefined'), 0, 'excepted'],
    ['something that is no error', 'oh', 0, 'excepted'],
    ['nothing', undefined, 0, 'excepted'],
  ])('of %s', (_title, thrown, attempts, expected) => {
    expect(verdict(thrown, attempts)).toBe(expected);
  });

  it.each(Object.keys(errorCodes) as ErrorCode[])('of %s never is an end unless it is a defect', (code) => {
    const ends = code === 'internal' || code === 'checkpoint-unreadable';
    for (const transient of [true, false])
      expect(consequenceOf(row, error(code, transient), now, 0.5).kind).toBe(ends ? 'except' : 'wait');
  });

  it('that counts is told with number, reason and time of the next try', () => {
    const consequence = consequenceOf({ ...row, attempts: 1 }, error('timed-out', true), now, 0.5);
    const nextAt = now + 40_000;
    expect(consequence).toMatchObject({
      changes: { attempts: 2, due_at: nextAt, waiting_for: 'the next try of upload: message', waiting_since: now },
      events: [
        {
          type: 'process.failed-attempt',
          data: { stage: 'upload', attempt: 2, code: 'timed-out', message: 'message', nextAt },
        },
      ],
    });
  });

  it('that pauses says after how many tries, why and what to do', () => {
    const last = consequenceOf({ ...row, attempts: backoff.attempts - 1 }, error('timed-out', true), now, 0.5);
    const reason = 'upload failed 5 times: message (hint)';
    expect(last).toMatchObject({
      changes: { paused: 1, paused_reason: reason, paused_at: now, waiting_for: null },
      events: [
        { type: 'process.failed-attempt', data: { attempt: 5, nextAt: null } },
        { type: 'process.paused', data: { reason } },
      ],
    });
    expect(consequenceOf(row, error('disk-full'), now, 0.5)).toMatchObject({
      changes: { paused_reason: 'upload failed: message (hint)' },
    });
  });

  it('that repeats keeps the beginning of the wait', () => {
    const waiting = { ...row, waiting_for: 'message', waiting_since: 7 };
    expect(consequenceOf(waiting, error('back-pressure', true), now, 0.5)).toMatchObject({
      changes: { waiting_since: 7 },
    });
    expect(consequenceOf(row, error('back-pressure', true), now, 0.5)).toMatchObject({
      changes: { waiting_since: now },
    });
  });

  it.each([
    ['permanent', false, 0],
    ['often', true, 40],
  ] as const)('never gives up a kill, and never repeats it without a pause (%s)', (_title, transient, attempts) => {
    const doomed = { ...row, attempts, kill_requested_at: 1, kill_reason: 'enough' };
    const consequence = consequenceOf(doomed, error('command-failed', transient), now, 0.5);
    if (consequence.kind !== 'wait') throw new Error('it ends the process');
    expect(consequence.changes.paused).toBeUndefined();
    expect(Number(consequence.changes.due_at)).toBeGreaterThanOrEqual(now + 15_000);
  });
});
