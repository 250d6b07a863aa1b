import { type Answer, type Books, type Dialect, printed, type Question, type ShownJob } from './dialect.js';
import { endedStates, type SimulatedState } from './queue.js';

const words: Readonly<Record<SimulatedState, string>> = {
  queued: 'queued',
  running: 'running',
  done: 'done',
  failed: 'failed',
  cancelled: 'cancelled',
  timeout: 'timeout',
  'node-failure': 'rebooted',
};

const questions: Readonly<Record<string, Question>> = {
  list: 'list',
  find: 'find',
  accounting: 'accounting',
  kill: 'kill',
};

/** Where the words that follow the queue's program stand in its commands. */
const place = { mark: 3, verb: 6, name: 10, walltime: 12 } as const;

/** The queue of a computer without a batch system, by its answers; its program is not run. */
export const directDialect: Dialect = {
  name: 'direct',
  idOf: (number) => `${number}.0000abcd`,
  submission(command) {
    const name = command[place.name];
    if (verbOf(command) !== 'submit' || name === undefined) return undefined;
    const seconds = command[place.walltime];
    return { name, walltime: seconds === undefined || seconds === '-' ? undefined : Number(seconds) * 1000 };
  },
  accepted: (id) => printed(`submitted\t${id}\n`),
  limitReached: { stdout: 'refused\ttransient\tthe queue is full\n', stderr: '', exitCode: 1 },
  recognise: (command) => questions[verbOf(command)],
  answer(question, _command, stdin, books) {
    const asked = stdin.split('\n').filter((line) => line !== '');
    if (question === 'kill') {
      for (const id of asked) books.cancel(id);
      return printed('end\t0\n');
    }
    const queue = books.queue();
    if (question === 'list')
      return listed(
        queue.filter((each) => isLive(each) || asked.includes(each.job.id)),
        books,
      );
    const records = books.records();
    if (records === undefined) return { stdout: '', stderr: 'sh: cd: .wherry-queue: Stale file handle\n', exitCode: 1 };
    if (question === 'find')
      return listed(
        newest(queue, records).filter(({ job }) => asked.includes(job.name)),
        books,
      );
    return listed(
      records.filter((each) => !isLive(each) && asked.includes(each.job.id)),
      books,
    );
  },
};

function verbOf(command: readonly string[]): string {
  return command[place.mark] === 'wherry-direct' ? (command[place.verb] ?? '') : '';
}

/** The queue knows better what goes on, the records what it has forgotten. */
function newest(queue: readonly ShownJob[], records: readonly ShownJob[]): ShownJob[] {
  return [...new Map([...records, ...queue].map((each) => [each.job.id, each])).values()];
}

function isLive({ state }: ShownJob): boolean {
  return !endedStates.has(state);
}

function listed(shown: readonly ShownJob[], { skew }: Books): Answer {
  const time = (at: number | undefined) => (at === undefined ? '-' : String(Math.floor((at + skew) / 1000)));
  const lines = shown.map(({ job, state }) =>
    [
      'job',
      job.id,
      words[state],
      state === 'done' || state === 'failed' ? (job.exitCode ?? '-') : '-',
      1,
      Number.isFinite(job.walltime) ? job.walltime / 1000 : '-',
      time(job.submittedAt),
      state === 'queued' ? '-' : time(job.startedAt),
      endedStates.has(state) ? time(job.endedAt) : '-',
      job.name,
      '-',
    ].join('\t'),
  );
  return printed(`${[...lines, `end\t${lines.length}`].join('\n')}\n`);
}
