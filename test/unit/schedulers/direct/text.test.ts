import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import direct from '../../../../schedulers/direct/index.js';
import type { ExecResult } from '../../../../src/plugin.js';

const result = (stdout: string, exitCode: number | null = 0, stderr = ''): ExecResult => ({
  stdout,
  stderr,
  exitCode,
  signal: exitCode === null ? 'SIGKILL' : null,
  durationMs: 1,
});
const line = 'job\t3.0a1b2c3d\tfailed\t139\t2\t60\t1795222800\t1795222801\t1795222805\twherry-x\t-\n';

describe('listings', () => {
  test('every field of a job', () => {
    expect(direct.parseList(result(`${line}end\t1\n`))).toEqual([
      {
        id: '3.0a1b2c3d',
        word: 'failed',
        state: 'failed',
        name: 'wherry-x',
        exitCode: 139,
        signal: 11,
        submittedAt: '2026-11-21T01:00:00.000Z',
        startedAt: '2026-11-21T01:00:01.000Z',
        endedAt: '2026-11-21T01:00:05.000Z',
        walltime: 60,
      },
    ]);
  });

  test('an unknown word does not throw', () => {
    expect(direct.parseList(result(`${line.replace('failed', 'odd')}end\t1\n`))).toMatchObject([{ state: 'unknown' }]);
  });

  test('a job that ended meanwhile stands for its end', () => {
    const live = line.replace('failed\t139', 'running\t-');
    expect(direct.parseList(result(`${live}${line}end\t2\n`))).toMatchObject([{ state: 'failed' }]);
  });

  test('whatever is cut off, miscounted or failed is no answer', () => {
    const whole = `${line}end\t1\n`;
    for (let length = 0; length < whole.length - 2; length++) {
      expect(() => direct.parseList(result(whole.slice(0, length)))).toThrow('no complete answer');
    }
    for (const bad of [
      result('end\t1\n'),
      result(whole, 1),
      result(whole, null),
      result('', 127, 'sh: awk: not found'),
    ]) {
      expect(() => direct.parseList(bad)).toThrow(
        expect.objectContaining({ code: 'scheduler-unavailable', transient: true }),
      );
    }
  });
});

describe('submissions', () => {
  test('accepted, refused, unclear', () => {
    expect(direct.parseSubmit(result('submitted\t7.00ff00ff\n'))).toEqual({ kind: 'accepted', jobId: '7.00ff00ff' });
    expect(direct.parseSubmit(result('refused\ttransient\tlocked\n', 1))).toEqual({
      kind: 'refused',
      reason: 'transient',
      message: 'locked',
    });
    expect(direct.parseSubmit(result('', 137))).toMatchObject({ kind: 'unknown' });
    expect(direct.parseSubmit(result('submitted\t7.00'))).toMatchObject({ kind: 'unknown' });
  });
});

describe('resources', () => {
  test.each([
    [{ nodes: 2 }, 'nodes can only be 1'],
    [{ gpusPerNode: 1 }, 'does not manage GPUs'],
    [{ memoryPerNode: 2 ** 30 }, 'cannot limit the memory'],
  ])('%o is refused', (resources, message) => {
    const checked = direct.resources.safeParse(resources);
    expect(checked.error?.issues[0]?.message).toContain(message);
  });

  test('what can be expressed passes, and the schema has a JSON form', () => {
    const resources = { nodes: 1, tasksPerNode: 2, cpusPerTask: 3, walltime: 90 };
    expect(direct.resources.parse(resources)).toEqual(resources);
    expect(z.toJSONSchema(direct.resources)).toMatchObject({ type: 'object' });
    expect(z.toJSONSchema(direct.options)).toMatchObject({ default: {} });
  });

  test('an output file with a line break is refused', () => {
    expect(() => direct.header({ name: 'x', resources: {}, stdout: 'a\nb', stderr: 'c' })).toThrow('line break');
  });
});
