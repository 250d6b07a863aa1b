import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CalcJobState, readState, writeState } from '../../../src/calcjob/context.js';
import { type Evidence, grace, needsSecondSource, update } from '../../../src/calcjob/update.js';
import type { JobInfo, JobState } from '../../../src/plugin/scheduler.js';
import { jobStates } from '../../../src/plugin/scheduler.js';
import type { ProcessRow } from '../../../src/store/tables.js';
import { insertProcess } from '../process/stored-process.js';
import { type TemporaryStore, temporaryStore } from '../store/temporary-store.js';

const info = (state: JobState, rest: Partial<JobInfo> = {}): JobInfo => ({
  id: '7',
  state,
  word: state.toUpperCase(),
  ...rest,
});
const now = 10_000_000;

describe('what a listing means for a job', () => {
  let rig: TemporaryStore;
  let base: ProcessRow;
  beforeAll(async () => {
    rig = await temporaryStore();
    base = await insertProcess(rig.store, {
      state: 'waiting',
      stage: 'update',
      job_id: '7',
      scheduler_state: 'running',
      waiting_for: 'the scheduler: running',
      waiting_since: 5,
    });
  });
  afterAll(() => rig[Symbol.asyncDispose]());

  const row = (differing: Partial<ProcessRow> = {}, state?: CalcJobState): ProcessRow => ({
    ...base,
    ...differing,
    ...(state === undefined ? {} : { checkpoint: writeState(state) }),
  });
  /** How the job ended by this evidence: source and state, or `waits`. */
  function outcome(evidence: Evidence, state: CalcJobState = {}): string {
    const transition = update(row({}, state), evidence, now);
    if (transition?.stage !== 'retrieve') return 'waits';
    const after = readState({ ...base, ...transition.changes } as ProcessRow);
    return `${after.end?.source}: ${transition.changes?.scheduler_state}`;
  }
  const long: CalcJobState = { absentSince: now - grace.time, absentListings: grace.listings - 1 };

  const alive = ['queued', 'held', 'running', 'suspended', 'completing'] as const;
  const over = ['done', 'failed', 'cancelled', 'timeout', 'out-of-memory', 'node-failure', 'preempted'] as const;

  it('has a row in these tables for every state', () => {
    expect([...alive, ...over, 'unknown'].sort()).toEqual([...jobStates].sort());
  });

  it.each(alive)('that is listed as %s waits, whatever the other sources say', (state) => {
    for (const recorded of [undefined, info('done'), info('unknown')])
      for (const exitFile of [undefined, 0, 3]) {
        expect(outcome({ listed: info(state), recorded, exitFile })).toBe('waits');
        expect(outcome({ listed: info(state), recorded, exitFile }, long)).toBe('waits');
      }
  });

  it.each(over)('that is listed as %s is over', (state) => {
    expect(outcome({ listed: info(state) })).toBe(`queue: ${state}`);
    expect(outcome({ listed: info(state, { exitCode: 1 }), recorded: info('running') })).toBe(
      state === 'failed' ? 'queue: failed' : `queue: ${state}`,
    );
  });

  it.each(over)('that is in no listing and recorded as %s is over', (state) => {
    expect(outcome({ recorded: info(state) })).toBe(`accounting: ${state}`);
    expect(outcome({ recorded: info(state), exitFile: 0 })).toBe(`accounting: ${state}`);
    expect(outcome({ listed: info('unknown'), recorded: info(state) })).toBe(`accounting: ${state}`);
  });

  it.each<[string, Evidence, CalcJobState, string]>([
    ['nobody knows it', {}, {}, 'waits'],
    ['nobody knows it, often but not for long', {}, { absentSince: now - grace.time + 1, absentListings: 50 }, 'waits'],
    ['nobody knows it, for long but not often', {}, { absentSince: 1, absentListings: grace.listings - 2 }, 'waits'],
    ['nobody knows it, for the grace period', {}, long, 'absence: unknown'],
    ['its exit file is there', { exitFile: 0 }, {}, 'exit-file: done'],
    ['its exit file tells a failure', { exitFile: 3 }, {}, 'exit-file: done'],
    ['its word is unknown', { listed: info('unknown') }, {}, 'waits'],
    ['its word is unknown, for ever', { listed: info('unknown') }, long, 'waits'],
    ['its exit file tells of a signal, for whose reason somebody may still speak', { exitFile: 143 }, {}, 'waits'],
    ['its exit file tells of a signal, and nobody has said why', { exitFile: 143 }, long, 'exit-file: done'],
    [
      'its exit file tells of a signal, and the records why',
      { exitFile: 143, recorded: info('timeout') },
      {},
      'accounting: timeout',
    ],
    ['its word is unknown and its exit file there', { listed: info('unknown'), exitFile: 0 }, {}, 'exit-file: done'],
    ['the records show it alive', { recorded: info('running') }, long, 'waits'],
    [
      'the records show it alive and its exit file is there',
      { recorded: info('running'), exitFile: 0 },
      {},
      'exit-file: done',
    ],
    ['the records have an unknown word', { recorded: info('unknown') }, {}, 'waits'],
    ['the records have an unknown word, for the grace period', { recorded: info('unknown') }, long, 'absence: unknown'],
    [
      'failed, and the records know why',
      { listed: info('failed'), recorded: info('out-of-memory') },
      {},
      'accounting: out-of-memory',
    ],
    ['failed, and the records are late', { listed: info('failed'), recorded: info('running') }, {}, 'waits'],
  ])('%s', (_title, evidence, state, expected) => {
    expect(outcome(evidence, state)).toBe(expected);
  });

  it.each<[string, Evidence]>([
    ['nobody', {}],
    ['records with an unknown word only', { recorded: info('unknown') }],
  ])('is given up after the grace period and no earlier when it is known by %s', (_title, evidence) => {
    let process = row();
    const polls: number[] = [];
    for (let at = now; at < now + 10 * grace.time; at += 100_000) {
      polls.push(at);
      const transition = update(process, evidence, at);
      if (transition?.stage === 'retrieve') break;
      process = { ...process, ...transition?.changes } as ProcessRow;
    }
    expect(polls).toEqual([now, now + 100_000, now + 200_000, now + grace.time]);
  });

  it('counts no absence while the records give no answer, and gives up after a day of that', () => {
    const silent = update(row({}, long), { recordsSilent: true }, now);
    expect(readState({ ...base, ...silent?.changes } as ProcessRow)).toEqual(long);
    expect(outcome({ recordsSilent: true }, { absentSince: now - grace.withoutRecords + 1, absentListings: 9 })).toBe(
      'waits',
    );
    expect(outcome({ recordsSilent: true }, { absentSince: now - grace.withoutRecords, absentListings: 0 })).toBe(
      'absence: unknown',
    );
  });

  it('counts absences anew once the job was seen again', () => {
    const seen = update(row({}, long), { listed: info('running') }, now);
    expect(readState({ ...base, ...seen?.changes } as ProcessRow)).toEqual({});
    const absent = update(row({}, {}), {}, now);
    expect(readState({ ...base, ...absent?.changes } as ProcessRow)).toEqual({ absentSince: now, absentListings: 1 });
    expect(absent).toMatchObject({ to: 'waiting', stage: 'update' });
    expect(absent?.changes).toMatchObject({
      waiting_for: expect.stringContaining('in no listing'),
      waiting_since: now,
    });
  });

  it('is nothing when nothing has changed', () => {
    expect(update(row(), { listed: info('running') }, now)).toBeUndefined();
    expect(update(row({}, {}), { listed: info('running') }, now)).toBeUndefined();
  });

  it.each<[string, Partial<ProcessRow>, JobInfo]>([
    ['state', {}, info('suspended')],
    ['reason', {}, info('running', { reason: 'Priority' })],
    ['failures before', { attempts: 1 }, info('running')],
    ['absences before', { checkpoint: writeState({ absentSince: 1, absentListings: 1 }) }, info('running')],
    ['waiting reason', { waiting_for: 'something else' }, info('running')],
  ])('is written when there is a change of its %s', (_title, differing, listed) => {
    const transition = update(row(differing), { listed }, now);
    expect(transition).toMatchObject({ to: 'waiting', stage: 'update', changes: { attempts: 0 } });
  });

  it('tells a new state with the word and the reason of the scheduler', () => {
    const transition = update(row(), { listed: info('queued', { reason: 'Resources' }) }, now);
    expect(transition?.events).toEqual([
      { type: 'job.state', data: { jobId: '7', from: 'running', to: 'queued', word: 'QUEUED', reason: 'Resources' } },
    ]);
    expect(transition?.changes).toMatchObject({
      scheduler_state: 'queued',
      scheduler_word: 'QUEUED',
      scheduler_reason: 'Resources',
      waiting_for: 'the scheduler: queued (Resources)',
      waiting_since: now,
    });
  });

  it('keeps the end, the exit code and who said so for the parser, and forgets the absences', () => {
    const transition = update(row({}, long), { recorded: info('timeout'), exitFile: 143 }, now);
    expect(readState({ ...base, ...transition?.changes } as ProcessRow)).toEqual({
      end: { source: 'accounting', info: info('timeout') },
      commandExit: 143,
    });
    expect(transition?.events).toEqual([
      { type: 'job.ended', data: { jobId: '7', state: 'timeout', source: 'accounting' } },
    ]);
  });

  describe('of a process that is to be killed', () => {
    const doomed = (state?: CalcJobState) => row({ kill_requested_at: 1, kill_reason: 'enough' }, state);

    it.each<[string, Evidence, CalcJobState]>([
      ['cancelled', { listed: info('cancelled') }, {}],
      ['done after all', { listed: info('done') }, {}],
      ['recorded as cancelled', { recorded: info('cancelled') }, {}],
      ['told by its exit file', { exitFile: 143 }, {}],
      ['unknown to all for the grace period', {}, long],
    ])('it is killed when its job is %s', (_title, evidence, state) => {
      expect(update(doomed(state), evidence, now)).toMatchObject({
        to: 'killed',
        changes: { exit_message: 'enough' },
      });
    });

    it.each<[string, Evidence]>([
      ['runs', { listed: info('running') }],
      ['is completing', { listed: info('completing') }],
      ['is absent for a moment', {}],
    ])('it is not killed while its job %s', (_title, evidence) => {
      expect(update(doomed(), evidence, now)?.to ?? 'waiting').toBe('waiting');
    });

    it('its cancel command keeps its own time, reason and failures', () => {
      const process = { ...doomed(), due_at: 42, attempts: 2, last_error: '{}', waiting_for: 'the end of its job' };
      expect(update(process, { listed: info('running') }, now)).toBeUndefined();
      const transition = update(process, { listed: info('completing') }, now);
      expect(transition).toMatchObject({ dueAt: 42, changes: { waiting_for: 'the end of its job', waiting_since: 5 } });
      expect(transition?.changes).not.toHaveProperty('attempts');
    });
  });
});

describe('a second source', () => {
  it.each(jobStates)('for a job listed as %s is asked only when the listing leaves something open', (state) => {
    expect(needsSecondSource(info(state))).toBe(state === 'unknown' || state === 'failed');
    expect(needsSecondSource(info(state, { exitCode: 1 }))).toBe(state === 'unknown');
  });

  it('is asked for a job that is in no listing', () => {
    expect(needsSecondSource(undefined)).toBe(true);
  });
});
