import pbspro from '../../../../schedulers/pbspro/index.js';
import { readCaptures, resultWith } from '../../../conformance/captures.js';
import { describeScheduler } from '../../../conformance/scheduler.js';
import { listing, listingOf } from './listings.js';

const captures = readCaptures('pbspro/listing.txt');
const faults = readCaptures('pbspro/faults.txt');
const job = (word: string) => ({ Job_Name: 'wherry-1-0a1b', job_state: word, ctime: 'Sat Nov 21 01:00:07 2026' });

describeScheduler(pbspro, {
  settings: {
    queue: ['workq', '-q workq'],
    account: ['proj1', '-A proj1'],
    rerunnable: [true, '-r y'],
    mail: [{ to: 'me@example.org', onBegin: true, onEnd: true, onFail: true }, '-m abe'],
    hold: [true, '#PBS -h'],
    beginTime: ['2027-01-31T22:30:00.000Z', '1801434600'],
    exclusive: [true, 'place=excl'],
    importEnvironment: [true, '#PBS -V'],
  },
  listings: [
    listing(captures.take('finished')),
    listing(captures.take('running'), captures.take('unknown job')),
    listingOf({ '1.pbshead': job('R') }),
  ],
  emptyListing: resultWith({ stdout: '# end\n' }),
  failures: [
    listing(faults.take('server down: qstat')),
    listing(faults.take('server hangs (SIGSTOP), 15 s')),
    resultWith({ stdout: '# begin jobs\n{\n"Jobs":{\n# end jobs 0\n# end\n' }),
  ],
  listingOf: (word) => listingOf({ '1.pbshead': job(word) }),
  listingOfMany: (count) =>
    listingOf(Object.fromEntries(Array.from({ length: count }, (_, number) => [`${number}.pbshead`, job('Q')]))),
  jobId: (number) => `${number}.pbshead`,
});
