import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { jobOfDefinition } from '../../../src/engine/lanes/definition-job.js';
import { InputError } from '../../../src/errors.js';
import { temporaryFolder } from '../process/spec/spec-rig.js';

const origin = { source: 'job of x' };

async function mistakes(prepared: unknown, job: unknown = {}): Promise<Record<string, string>> {
  const error: unknown = await jobOfDefinition(prepared as never, { job } as never, origin).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof InputError)) throw error ?? new Error('it was accepted');
  return Object.fromEntries(error.issues.map((issue) => [issue.path, issue.message]));
}

it('is what was prepared, with what the caller says', async () => {
  const prepared = { command: ['x'], resources: { nodes: 2 }, environment: { A: '1', B: '1' }, queue: 'slow' };
  const job = { resources: { walltime: '10m' }, environment: { B: '2' }, queue: 'fast' };
  expect(await jobOfDefinition(prepared, { job, label: 'mine' }, origin)).toMatchObject({
    ...{ command: ['x'], queue: 'fast', label: 'mine' },
    ...{ resources: { nodes: 2, walltime: 600 }, environment: { A: '1', B: '2' } },
  });
});

it('is refused with all that is wrong, also with what nobody would look at', async () => {
  const prepared = { command: ['x'], files: { 'a.txt': './a.txt' }, parser: './read.mjs', nonsense: 1 };
  expect(await mistakes(prepared, { command: ['y'], label: 'mine', queue: '' })).toEqual({
    files: 'is for job files: `prepare` writes input files into `folder`',
    parser: 'is for job files: a definition has `parse`',
    '': 'unknown key "nonsense"',
    command: 'is said by the definition',
    label: 'is said by the caller, beside `job`',
    queue: expect.anything(),
  });
  expect(await mistakes(undefined)).toEqual({ command: 'is missing (or code, or codes)' });
});

it('has modules of monitors as absolute paths, which are there', async () => {
  const module = path.join(await temporaryFolder(), 'a monitor.mjs');
  await writeFile(module, 'export default () => undefined;');
  const monitors = { url: { module: pathToFileURL(module).href }, path: { module } };
  const job = await jobOfDefinition({ command: ['x'], monitors }, {}, origin);
  expect(Object.values(job.monitors ?? {}).map((monitor) => monitor.module)).toEqual([module, module]);

  const wrong = { relative: { module: './monitor.mjs' }, host: { module: 'file://elsewhere/monitor.mjs' } };
  expect(await mistakes({ command: ['x'], monitors: wrong })).toEqual({
    'monitors.relative.module': expect.stringContaining('must be an absolute path or a URL'),
    'monitors.host.module': expect.stringContaining('must be an absolute path or a URL'),
  });
  const missing = { command: ['x'], monitors: { gone: { module: `${module.slice(0, -4)}s.mjs` } } };
  expect(await mistakes(missing)).toEqual({ 'monitors.gone.module': expect.stringContaining('no such file') });
});
