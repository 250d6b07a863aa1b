import { type Answer, type Books, type Dialect, durationOf, printed, type Question, type ShownJob } from './dialect.js';
import type { SimulatedState } from './queue.js';
import { shellWords } from './shell-words.js';

const words: Readonly<Record<SimulatedState, string>> = {
  queued: 'PENDING',
  running: 'RUNNING',
  done: 'COMPLETED',
  failed: 'FAILED',
  cancelled: 'CANCELLED',
  timeout: 'TIMEOUT',
  'node-failure': 'NODE_FAIL',
};

/** The part of Slurm that a user meets: sbatch, squeue, sacct, scancel. */
export const slurmDialect: Dialect = {
  name: 'slurm',
  idOf: (number) => String(1000 + number),
  submission(command, script) {
    const name = command.includes('sbatch') ? optionOf(command, 'job-name') : undefined;
    return name === undefined ? undefined : { name, walltime: durationOf(/^#SBATCH --time=(\S+)$/m.exec(script)?.[1]) };
  },
  accepted: (id) => printed(`${id}\n`),
  limitReached: {
    stdout: '',
    stderr: `sbatch: error: QOSMaxSubmitJobPerUserLimit
sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)
`,
    exitCode: 1,
  },
  recognise(command) {
    const [shell, option, text = ''] = command;
    if (shell !== 'sh' || option !== '-c') return undefined;
    if (text.includes('scancel $ids')) return 'kill';
    if (text.includes('while read -r ids; do sacct')) return 'accounting';
    if (text.includes('sacct')) return 'find';
    return text.includes('squeue') ? 'list' : undefined;
  },
  answer(question, command, stdin, books) {
    const lines = (command[2] ?? '').split('\n');
    if (question === 'kill') return kill(stdin, books);
    if (question === 'accounting') return accounting(lines, stdin, books);
    return list(lines, question, books);
  },
};

function list(lines: readonly string[], question: Question, books: Books): Answer {
  const parts = (lines.find((line) => line.includes('squeue')) ?? '').split(' && ').map((part) => shellWords(part));
  let stdout = '';
  for (const part of parts) {
    if (part[0] === 'echo') stdout += `${part[1]}\n`;
    else if (part[0] === 'squeue') stdout += squeue(part, books);
    else {
      const records = books.records();
      if (records === undefined) return unreachable(stdout, question);
      stdout += sacct(part, records, books);
    }
  }
  return printed(stdout);
}

function accounting(lines: readonly string[], stdin: string, books: Books): Answer {
  const line = lines.find((each) => each.includes('sacct')) ?? '';
  const [begin = '', rest = ''] = line.split(' && while read -r ids; do ');
  const records = books.records();
  if (records === undefined) return unreachable(`${shellWords(begin)[1]}\n`, 'accounting');
  const ids = new Set(stdin.split(/[,\n]/));
  const shown = records.filter(({ job }) => ids.has(job.id));
  const end = shellWords(line.split('done && ')[1] ?? '')[1];
  return printed(`${shellWords(begin)[1]}\n${sacct(shellWords(rest), shown, books)}${end}\n`);
}

function unreachable(stdout: string, question: Question): Answer {
  const what =
    question === 'list'
      ? 'slurm_load_jobs error: Unable to contact slurm controller'
      : 'sacct: error: slurm_persist_conn_open: failed to connect';
  return { stdout, stderr: `${what}\n`, exitCode: 1 };
}

function kill(stdin: string, books: Books): Answer {
  const complaints = stdin
    .split(/\s+/)
    .filter((id) => id !== '' && !books.cancel(id))
    .map((id) => `scancel: error: Kill job error on job id ${id}: Job/step already completing or completed\n`);
  return { stdout: '# end kill\n', stderr: complaints.join(''), exitCode: complaints.length > 0 ? 1 : 0 };
}

const optionOf = (options: readonly string[], name: string) =>
  options.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3);

function squeue(options: readonly string[], books: Books): string {
  const name = optionOf(options, 'name');
  const fields = (optionOf(options, 'format') ?? '').split('|');
  const shown = books.queue().filter(({ job }) => name === undefined || job.name === name);
  return shown.map((each) => `${fields.map((field) => queueField(field, each, books)).join('|')}\n`).join('');
}

function queueField(field: string, { job, state }: ShownJob, { user, skew }: Books): string {
  const waits = state === 'queued';
  const values: Readonly<Record<string, string>> = {
    '%i': job.id,
    '%T': words[state],
    '%u': user,
    '%P': 'batch',
    '%V': time(job.submittedAt + skew),
    '%S': waits || job.startedAt === undefined ? 'N/A' : time(job.startedAt + skew),
    '%e': job.endedAt === undefined ? 'N/A' : time(job.endedAt + skew),
    '%M': '0:00',
    '%N': waits ? '' : 'node1',
    '%r': waits ? 'Resources' : 'None',
    '%j': job.name,
  };
  return values[field] ?? '';
}

function sacct(options: readonly string[], records: readonly ShownJob[], { user, skew }: Books): string {
  const name = optionOf(options, 'name');
  const since = Date.parse(`${optionOf(options, 'starttime') ?? ''}Z`);
  const fields = (optionOf(options, 'format') ?? '').split(',');
  return records
    .filter(({ job }) => (name === undefined || job.name === name) && (job.endedAt ?? since) + skew >= since)
    .map(({ job, state }) => {
      const values: Readonly<Record<string, string>> = {
        JobID: job.id,
        State: state === 'cancelled' ? 'CANCELLED by 1000' : words[state],
        User: user,
        Partition: 'batch',
        Submit: time(job.submittedAt + skew),
        Start: job.startedAt === undefined ? 'Unknown' : time(job.startedAt + skew),
        End: job.endedAt === undefined ? 'Unknown' : time(job.endedAt + skew),
        ElapsedRaw: '0',
        NodeList: 'node1',
        ExitCode: `${job.exitCode ?? 0}:0`,
        DerivedExitCode: '0:0',
        JobName: job.name,
      };
      return `${fields.map((field) => values[field] ?? '').join('|')}\n`;
    })
    .join('');
}

function time(at: number): string {
  return new Date(at).toISOString().slice(0, 19);
}
