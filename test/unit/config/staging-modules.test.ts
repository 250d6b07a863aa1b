import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readJobFile } from '../../../src/config/job-file.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'wherry-modules-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the modules that a job file names', () => {
  const job =
    'command: [x]\nparser: ./parse.mjs\nmonitors:\n  one: { module: ./one.mjs }\n  two: { module: ./one.mjs }\n';
  it('are found from its folder', async () => {
    for (const name of ['parse.mjs', 'one.mjs']) await writeFile(path.join(folder, name), '');
    await writeFile(path.join(folder, 'job.yaml'), job);
    const read = await readJobFile(path.join(folder, 'job.yaml'));
    expect(read.job.parser).toBe(path.join(folder, 'parse.mjs'));
    const module = path.join(folder, 'one.mjs');
    expect(read.job.monitors).toMatchObject({ one: { module }, two: { module } });
  });

  it('are all told of where they are not there', async () => {
    await writeFile(path.join(folder, 'on.mjs'), '');
    await writeFile(path.join(folder, 'job.yaml'), job);
    const failure = await readJobFile(path.join(folder, 'job.yaml')).catch((error: Error) => error.message);
    expect(failure).toMatch(
      /job\.yaml:2:\d+ parser: no such file.*\n.*:4:\d+ monitors\.one\.module: no such file.*"on\.mjs"/,
    );
    expect(String(failure).split('\n')).toHaveLength(3);
  });
});
