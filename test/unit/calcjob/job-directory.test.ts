import { describe, expect, it } from 'vitest';
import { workDirectory } from '../../../src/calcjob/context.js';
import { jobDirectory } from '../../../src/calcjob/job-directory.js';
import { computerSchema } from '../../../src/config/computer.js';
import { FakeCluster } from './fake-cluster.js';

describe('the directory of a job', () => {
  it('is spread over two levels by the uuid', () => {
    expect(jobDirectory('/w', 'abcdef01-2345-6789-abcd-ef0123456789')).toBe(
      '/w/ab/cd/ef01-2345-6789-abcd-ef0123456789',
    );
  });

  it.each([
    ['/scratch/{user}/w', '/scratch/me/w'],
    ['{home}/w', '/home/me/w'],
    ['~/w', '/home/me/w'],
    ['/x/~/w', '/x/~/w'],
    ['/w/', '/w'],
    ['/w//', '/w'],
    ['/{user}/{user}', '/me/me'],
  ])('is below %s, filled in', (configured, filled) => {
    const config = computerSchema.parse({ label: 'c', transport: 't', scheduler: 's', workDirectory: configured });
    expect(workDirectory(new FakeCluster().connect(), config)).toBe(filled);
  });
});
