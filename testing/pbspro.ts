import { type Answer, type Books, type Dialect, durationOf, printed, type ShownJob } from './dialect.js';
import { endedStates } from './queue.js';
import { shellWords } from './shell-words.js';

const marks = { begin: '# begin jobs\n', end: '# end jobs', done: '# end\n' } as const;

/** The part of PBS that a user meets: qsub, qstat, qselect, qdel. */
export const pbsProDialect: Dialect = {
  name: 'pbspro',
  idOf: (number) => `${number}.simulated`,
  submission(command, script) {
    const name = command.includes('qsub') ? command[command.indexOf('-N') + 1] : undefined;
    const walltime = durationOf(/^#PBS -l walltime=(\S+)$/m.exec(script)?.[1]);
    return name === undefined ? undefined : { name, walltime };
  },
  accepted: (id) => printed(`${id}\n`),
  limitReached: { stdout: '', stderr: 'qsub: would exceed complex per-user limit on jobs\n', exitCode: 38 },
  recognise(command) {
    const [shell, option, text = ''] = command;
    if (shell !== 'sh' || option !== '-c') return undefined;
    if (text.includes('qdel $ids')) return 'kill';
    if (text.includes('do ask $ids; done')) return 'list';
    return text.includes('qselect') ? 'find' : undefined;
  },
  answer(question, command, stdin, books) {
    if (question === 'kill') return kill(stdin, books);
    if (question === 'find') return find(command[2] ?? '', books);
    const asked = stdin.split(/\s+/).filter((id) => id !== '');
    // Where those of others count too, qselect tells all that have not ended.
    const isOfAll = command[2]?.includes('qselect') ?? false;
    const living = books.queue().filter(({ state }) => isOfAll && !endedStates.has(state));
    const parts = [asked, living.map(({ job }) => job.id)].filter((ids) => ids.length > 0);
    const answers = parts.map((ids) => qstat(ids, books));
    return {
      stdout: `${answers.map(({ stdout }) => stdout).join('')}${marks.done}`,
      stderr: answers.map(({ stderr }) => stderr).join(''),
      exitCode: 0,
    };
  },
};

function kill(stdin: string, books: Books): Answer {
  const complaints = stdin
    .split(/\s+/)
    .filter((id) => id !== '' && !books.cancel(id))
    .map((id) => `qdel: Job has finished ${id}\n`);
  return { stdout: marks.done, stderr: complaints.join(''), exitCode: complaints.length > 0 ? 35 : 0 };
}

function find(text: string, books: Books): Answer {
  const line = text.split('\n').find((each) => each.startsWith('ids=$(qselect')) ?? '';
  const words = shellWords(line);
  const name = words[words.indexOf('-N') + 1]?.replace(/\)$/, '');
  const ids = books.queue().filter(({ job }) => job.name === name);
  if (ids.length === 0) return printed(marks.done);
  const answer = qstat(
    ids.map(({ job }) => job.id),
    books,
  );
  return { ...answer, stdout: `${answer.stdout}${marks.done}` };
}

/** What the shell function around qstat prints: the answer between its marks, with its exit code. */
function qstat(ids: readonly string[], books: Books): Answer {
  const shown = new Map(books.queue().map((each) => [each.job.id, each]));
  const known = ids.map((id) => shown.get(id)).filter((each) => each !== undefined);
  const unknown = ids.filter((id) => !shown.has(id));
  const jobs = Object.fromEntries(known.map((each) => [each.job.id, attributes(each, books)]));
  const json = JSON.stringify({ timestamp: 0, pbs_version: '23.06.06', pbs_server: 'simulated', Jobs: jobs }, null, 4);
  const complaints = unknown.map((id) => `qstat: Unknown Job Id ${id}\n`).join('');
  return {
    stdout: `${marks.begin}${json}\n${marks.end} ${unknown.length > 0 ? 153 : 0}\n`,
    stderr: complaints,
    exitCode: 0,
  };
}

function attributes({ job, state }: ShownJob, { user, skew }: Books): Record<string, unknown> {
  const ended = { done: job.exitCode, failed: job.exitCode, timeout: -29, 'node-failure': -14 } as const;
  const letter = state === 'queued' ? 'Q' : state === 'running' ? 'R' : 'F';
  const isEnded = letter === 'F';
  const exit = state === 'cancelled' || state === 'queued' || state === 'running' ? undefined : ended[state];
  return {
    Job_Name: job.name,
    Job_Owner: `${user}@simulated`,
    job_state: letter,
    queue: 'workq',
    ctime: time(job.submittedAt + skew),
    ...(job.startedAt === undefined ? {} : { stime: time(job.startedAt + skew), exec_host: 'node1/0' }),
    ...(isEnded ? { substate: state === 'cancelled' ? 91 : 92 } : {}),
    ...(exit === undefined ? {} : { Exit_status: exit }),
    ...(isEnded && job.endedAt !== undefined ? { history_timestamp: Math.floor((job.endedAt + skew) / 1000) } : {}),
  };
}

/** As ctime(3) writes it, in UTC. */
function time(at: number): string {
  const [weekday = '', day = '', month = '', year = '', clock = ''] = new Date(at).toUTCString().split(/,? /);
  return `${weekday} ${month} ${day} ${clock} ${year}`;
}
