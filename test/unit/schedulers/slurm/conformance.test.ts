import slurm from '../../../../schedulers/slurm/index.js';
import { readCaptures, resultWith } from '../../../conformance/captures.js';
import { describeScheduler } from '../../../conformance/scheduler.js';

const queue = readCaptures('slurm/queue.txt');
const faults = readCaptures('slurm/faults.txt');
const line = (id: number, word: string) =>
  `${id}|${word}|user1|debug|2026-11-21T02:50:32|2026-11-21T02:50:32|2026-11-21T03:00:32|0:01|n1|None|wherry-${id}`;
const listing = (lines: readonly string[]) =>
  resultWith({ stdout: ['# begin queue', ...lines, '# end queue', ''].join('\n') });

describeScheduler(slurm, {
  settings: {
    queue: ['debug', '--partition=debug'],
    account: ['proj1', '--account=proj1'],
    qos: ['limited', '--qos=limited'],
    constraint: ['[rack1*2&rack2]', '--constraint=[rack1*2&rack2]'],
    rerunnable: [false, '--no-requeue'],
    mail: [{ to: 'me@example.org', onBegin: true, onEnd: false, onFail: true }, '--mail-type=BEGIN,FAIL'],
    hold: [true, '--hold'],
    beginTime: ['2027-01-31T22:30:00.000Z', '--begin=uts1801434600'],
    exclusive: [true, '--exclusive'],
    importEnvironment: [false, '--export=NONE'],
  },
  listings: [queue.take('many states').result, faults.take('controller goes on: list').result],
  emptyListing: queue.take('of a user without jobs').result,
  failures: [
    faults.take('controller hangs: list').result,
    faults.take('controller down: list').result,
    faults.take('munged down: list').result,
    queue.take('of an unknown user').result,
  ],
  listingOf: (word) => listing([line(1, word)]),
  listingOfMany: (count) => listing(Array.from({ length: count }, (_, number) => line(number + 1, 'RUNNING'))),
  jobId: String,
});
