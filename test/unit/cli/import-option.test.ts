import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readJobs } from '../../../src/cli/job-arguments.js';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'wherry-import-'));
  file = path.join(folder, 'job.yaml');
  await writeFile(file, 'command: [pw.x]\nretrieve: [pw.out]\n');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('submit --import', () => {
  it('takes a run for that of a job file, or of a command', async () => {
    const [ofFile] = await readJobs({ files: [file], import: '/scratch/run' }, []);
    expect(ofFile?.job).toMatchObject({ command: ['pw.x'], remoteFolder: '/scratch/run' });
    const [ofCommand] = await readJobs({ import: '/scratch/run' }, ['pw.x']);
    expect(ofCommand?.job).toMatchObject({ command: ['pw.x'], remoteFolder: '/scratch/run' });
  });

  it.each(['run', '/a/../b', ''])('refuses the directory %j', async (name) => {
    const refused = { code: 'bad-input', message: expect.stringContaining('must be an absolute path on the computer') };
    await expect(readJobs({ files: [file], import: name }, [])).rejects.toMatchObject(refused);
    await expect(readJobs({ import: name }, ['pw.x'])).rejects.toMatchObject(refused);
  });

  it('is for one job file', async () => {
    const several = readJobs({ files: [file, file], import: '/scratch/run' }, []);
    await expect(several).rejects.toThrow('--import is the run of one job file');
  });
});
