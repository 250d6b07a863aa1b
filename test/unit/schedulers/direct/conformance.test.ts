import direct from '../../../../schedulers/direct/index.js';
import { resultWith } from '../../../conformance/captures.js';
import { describeScheduler } from '../../../conformance/scheduler.js';

const job = (number: number, word: string) =>
  `job\t${number}.0a1b2c3d\t${word}\t-\t1\t-\t1795222800\t-\t-\twherry-1-0a1b\t-\n`;
const listing = (...jobs: readonly string[]) => resultWith({ stdout: `${jobs.join('')}end\t${jobs.length}\n` });

describeScheduler(direct, {
  settings: {},
  listings: [listing(job(1, 'queued')), listing(job(1, 'done'), job(2, 'running'), job(3, 'rebooted'))],
  emptyListing: listing(),
  failures: [
    resultWith({ exitCode: 1, stderr: 'the queue is locked by another command\n' }),
    resultWith({ exitCode: 1, stderr: "sh: 1: cd: can't cd to /scratch/.\n" }),
    resultWith({ stdout: 'end\t1\n' }),
    resultWith({ stdout: job(1, 'queued') }),
  ],
  listingOf: (word) => listing(job(1, word)),
  listingOfMany: (count) => listing(...Array.from({ length: count }, (_, number) => job(number + 1, 'queued'))),
  jobId: (number) => `${number}.0a1b2c3d`,
});
