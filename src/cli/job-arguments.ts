import { basename } from 'node:path';
import type { Options } from 'yargs';
import type { JobRequest } from '../engine/prepare-jobs.js';
import { InputError } from '../errors.js';
import { json, text, texts } from './command.js';
import { usageError } from './errors.js';
import { wordsOf } from './option-values.js';

/** Options that say what a job is; with job files only `computer` and `label` may be given. */
export const jobOptions = {
  computer: text('where to run it; with job files: instead of what they say'),
  label: text('a name for people; with job files: instead of what they say'),
  description: text('a text for people'),
  code: text('a code to run, such as pw@daint; the words behind -- are its arguments'),
  file: texts('TARGET=SOURCE: send the file or folder SOURCE as TARGET (NAME alone keeps its last part)'),
  retrieve: texts('a file, folder or pattern to bring back, beside stdout and stderr'),
  nodes: text('number of nodes'),
  'tasks-per-node': text('tasks on each node'),
  'cpus-per-task': text('processors of each task'),
  'gpus-per-node': text('GPUs on each node'),
  'memory-per-node': text('memory on each node, such as 64GiB'),
  walltime: text('longest time it may run, such as 1h30m'),
  queue: text('queue or partition'),
  account: text('account or project'),
  qos: text('quality of service'),
  constraint: text('features that nodes must have'),
  'header-line': texts('a line for the script header, as it is'),
  rerunnable: { type: 'boolean', describe: 'the scheduler may run it again (--rerunnable=false: never)' },
  hold: { type: 'boolean', describe: 'let it wait in the queue until somebody releases it there' },
  exclusive: { type: 'boolean', describe: 'share its nodes with no other job' },
  'begin-time': text('it does not begin earlier, such as 2027-01-31T22:30'),
  'mail-to': text('the address to which the scheduler writes'),
  'mail-on': texts('when it writes: begin, end, fail (default: end and fail)'),
  environment: texts('NAME=VALUE: an environment variable of the job'),
  'environment-double-quotes': { type: 'boolean', describe: 'let the shell fill in variables in these values' },
  'import-environment': {
    type: 'boolean',
    describe: 'begin with the environment of the submitting command (default: true)',
  },
  stdin: text('the sent file that the command reads'),
  stdout: text('where stdout goes (default: stdout.txt)'),
  stderr: text('where stderr goes (default: stderr.txt)'),
  mpi: { type: 'boolean', describe: 'run it under the mpirun of the computer' },
  'mpirun-extra': text('words put behind those of mpirun, such as --mpirun-extra="--bind-to core"'),
  prepend: text('shell lines before the command'),
  append: text('shell lines behind the command'),
  import: text('a directory on the computer with a run that is over: its results are taken, nothing is submitted'),
  priority: text('from -1000 to 1000; larger goes first where a limit makes jobs wait'),
  json,
} as const satisfies Record<string, Options>;

/** What the parser made of `jobOptions`. */
export type JobArguments = { readonly [Name in keyof typeof jobOptions]?: unknown } & {
  readonly files?: readonly string[] | undefined;
};

const optionNames = Object.keys(jobOptions) as (keyof typeof jobOptions)[];
const besideFiles: ReadonlySet<string> = new Set(['computer', 'label', 'import', 'json']);

/** Reads and checks the jobs of a command line: its job files, or the one that its options and command are. */
export async function readJobs(given: JobArguments, command: readonly string[]): Promise<JobRequest[]> {
  const files = given.files ?? [];
  if (files.length > 0) return readFiles(given, files, command);
  if (command.length === 0 && given.code === undefined) {
    throw usageError(
      'neither a job file nor a command is given',
      'wherry submit job.yaml, or: wherry submit --computer localhost -- echo hello',
    );
  }
  const { jobSchema } = await import('../config/job.js');
  const { resolveFiles } = await import('../config/job-file.js');
  const { validate } = await import('../config/validate.js');
  const origin = { source: '' };
  const job = validate(jobOf(given, command), jobSchema, origin);
  return [{ job, files: await resolveFiles(job, process.cwd(), origin), origin }];
}

async function readFiles(
  given: JobArguments,
  paths: readonly string[],
  command: readonly string[],
): Promise<JobRequest[]> {
  if (command.length > 0) throw usageError('a job file and a command are given', 'give either of them');
  const wrong = optionNames.find((name) => !besideFiles.has(name) && given[name] !== undefined);
  if (wrong !== undefined) throw usageError(`--${wrong} cannot be given with a job file`, 'write it into the file');
  if (given.import !== undefined && paths.length > 1) {
    throw usageError('--import is the run of one job file', 'give one job file with it');
  }
  const instead = await overrides(given);
  const { readJobFile } = await import('../config/job-file.js');
  const { joinErrors } = await import('../engine/prepare-jobs.js');
  const requests: JobRequest[] = [];
  const errors: InputError[] = [];
  for (const path of paths) {
    try {
      const { job, files, origin } = await readJobFile(path);
      requests.push({ job: { ...job, ...instead }, files, origin });
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      errors.push(error);
    }
  }
  if (errors.length > 0) throw joinErrors(errors);
  return requests;
}

type Overrides = Pick<Partial<JobRequest['job']>, 'computer' | 'label' | 'remoteFolder'>;

async function overrides({ computer, label, import: folder }: JobArguments): Promise<Overrides> {
  const { remotePath } = await import('../config/staging.js');
  const { validate } = await import('../config/validate.js');
  return {
    ...(typeof computer === 'string' ? { computer } : {}),
    ...(typeof label === 'string' ? { label } : {}),
    ...(folder === undefined
      ? {}
      : { remoteFolder: validate(folder, remotePath, { source: '' }, { prefix: ['--import'] }) }),
  };
}

/** The options as a job file would have them; the schema checks every value. */
export function jobOf(given: JobArguments, command: readonly string[]): Record<string, unknown> {
  const resources = defined({
    nodes: number(given.nodes),
    tasksPerNode: number(given['tasks-per-node']),
    cpusPerTask: number(given['cpus-per-task']),
    gpusPerNode: number(given['gpus-per-node']),
    memoryPerNode: given['memory-per-node'],
    walltime: given.walltime,
  });
  return defined({
    computer: given.computer,
    label: given.label,
    description: given.description,
    ...(given.code === undefined ? { command } : { code: given.code, arguments: command }),
    files: pairs(given.file, 'file', fileFallback),
    retrieve: given.retrieve,
    resources,
    queue: given.queue,
    account: given.account,
    qos: given.qos,
    constraint: given.constraint,
    headerLines: given['header-line'],
    rerunnable: given.rerunnable,
    hold: given.hold,
    exclusive: given.exclusive,
    beginTime: given['begin-time'],
    mail: mailOf(given),
    environment: pairs(given.environment, 'environment'),
    environmentDoubleQuotes: given['environment-double-quotes'],
    importEnvironment: given['import-environment'],
    stdin: given.stdin,
    stdout: given.stdout,
    stderr: given.stderr,
    mpi: given.mpi,
    mpirunExtra:
      given['mpirun-extra'] === undefined ? undefined : wordsOf(String(given['mpirun-extra']), 'mpirun-extra'),
    prepend: given.prepend,
    append: given.append,
    priority: number(given.priority),
    remoteFolder: given.import,
  });
}

function mailOf(given: JobArguments): Record<string, unknown> | undefined {
  const occasions = given['mail-on'];
  if (given['mail-to'] === undefined && occasions === undefined) return undefined;
  const words = Array.isArray(occasions) ? occasions.flatMap((word) => String(word).split(',')) : ['end', 'fail'];
  const keys: Readonly<Record<string, string>> = { begin: 'onBegin', end: 'onEnd', fail: 'onFail' };
  const wrong = words.find((word) => !Object.hasOwn(keys, word));
  if (wrong !== undefined) throw usageError(`--mail-on ${wrong} is no occasion`, 'give begin, end or fail');
  return defined({ to: given['mail-to'], ...Object.fromEntries(words.map((word) => [keys[word], true])) });
}

/** `NAME=VALUE` words as a mapping; a name given twice is an error. */
export function pairs(
  words: unknown,
  option: string,
  fallback?: (word: string) => [string, string],
): Record<string, string> | undefined {
  if (!Array.isArray(words)) return undefined;
  const found = new Map<string, string>();
  for (const word of words.map(String)) {
    const at = word.indexOf('=');
    if (at < 1 && fallback === undefined) {
      throw usageError(`--${option} "${word}" has no "="`, `write: --${option} NAME=VALUE`);
    }
    const [name, value] = at < 1 && fallback !== undefined ? fallback(word) : [word.slice(0, at), word.slice(at + 1)];
    if (found.has(name)) throw usageError(`--${option} gives "${name}" twice`, 'give it once');
    found.set(name, value);
  }
  return Object.fromEntries(found);
}

function fileFallback(word: string): [string, string] {
  return [basename(word), word];
}

/** Numbers are read here, so that the schema can say which number is wrong; other text stays what it is. */
function number(value: unknown): unknown {
  return typeof value === 'string' && /^-?\d+(\.\d+)?(e\d+)?$/i.test(value) ? Number(value) : value;
}

function defined(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
