import { InputError, type JobHeader, type Resources, resourceFields, z } from '../../src/plugin.js';

/** What Slurm can be asked for. */
export const SlurmResources = z.strictObject(resourceFields);

/** The `#SBATCH` lines of a job. Custom lines come last of them: sbatch stops reading directives at the first command. */
export function header(job: JobHeader): string[] {
  const options: readonly (readonly [string, string | undefined])[] = [
    ['job-name', checked('name', job.name, /^[\w.-]{1,64}$/)],
    ['output', outputPath('stdout', job.stdout)],
    ['error', outputPath('stderr', job.stderr)],
    ...resourceOptions(job.resources),
    ['partition', checked('queue', job.queue, /^[\w.@+:,-]+$/)],
    ['account', checked('account', job.account, /^[\w.@+:,-]+$/)],
    ['qos', checked('qos', job.qos, /^[\w.@+:,-]+$/)],
    ['constraint', checked('constraint', job.constraint, /^[\w.@+:,&|*()[\]!=-]+$/)],
    ...mailOptions(job.mail),
    ['begin', formatBegin(job.beginTime)],
    ['export', job.importEnvironment === false ? 'NONE' : undefined],
  ];
  return [
    ...options.flatMap(([name, value]) => (value === undefined ? [] : [`#SBATCH --${name}=${value}`])),
    ...flags(job).map((name) => `#SBATCH --${name}`),
    ...(job.headerLines ?? []).map(headerLine),
    // Else srun would start what the script starts without the variables that the script sets.
    ...(job.importEnvironment === false ? ['export SLURM_EXPORT_ENV=ALL'] : []),
  ];
}

function flags({ rerunnable, hold, exclusive }: JobHeader): string[] {
  return [
    ...(rerunnable === undefined ? [] : [rerunnable ? 'requeue' : 'no-requeue']),
    ...(hold ? ['hold'] : []),
    ...(exclusive ? ['exclusive'] : []),
  ];
}

function mailOptions(mail: JobHeader['mail']): (readonly [string, string | undefined])[] {
  if (mail === undefined) return [];
  const types = [...(mail.onBegin ? ['BEGIN'] : []), ...(mail.onEnd ? ['END'] : []), ...(mail.onFail ? ['FAIL'] : [])];
  return [
    ['mail-type', types.join(',')],
    ['mail-user', checked('mail.to', mail.to, /^[\w.+%][\w.+%@-]*$/)],
  ];
}

/** Seconds since the epoch: the time zone of the computer does not matter. */
function formatBegin(time: string | undefined): string | undefined {
  if (time === undefined) return undefined;
  const seconds = Math.ceil(Date.parse(time) / 1000);
  if (Number.isSafeInteger(seconds)) return `uts${seconds}`;
  throw new InputError(`${JSON.stringify(time)} is no time`, [{ path: 'beginTime', message: 'must be a time' }]);
}

function resourceOptions(resources: Resources): (readonly [string, string | undefined])[] {
  const { nodes, tasksPerNode, cpusPerTask, gpusPerNode, memoryPerNode, walltime } = resources;
  return [
    ['nodes', nodes?.toString()],
    ['ntasks-per-node', tasksPerNode?.toString()],
    ['cpus-per-task', cpusPerTask?.toString()],
    ['gpus-per-node', gpusPerNode?.toString()],
    ['mem', memoryPerNode === undefined ? undefined : `${Math.ceil(memoryPerNode / 2 ** 20)}M`],
    ['time', walltime === undefined ? undefined : formatTime(walltime)],
  ];
}

/** Seconds as `d-hh:mm:ss`, rounded up. Slurm itself counts in minutes and rounds up once more (sbatch(1), --time). */
export function formatTime(seconds: number): string {
  const whole = Math.ceil(seconds);
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0');
  return `${Math.floor(whole / 86_400)}-${two((whole % 86_400) / 3_600)}:${two((whole % 3_600) / 60)}:${two(whole % 60)}`;
}

function checked(what: string, value: string | undefined, allowed: RegExp): string | undefined {
  if (value === undefined || (allowed.test(value) && !value.endsWith('\n'))) return value;
  throw new InputError(`${what} ${JSON.stringify(value)} cannot be given to Slurm`, [
    { path: what, message: 'has characters that cannot be part of it' },
  ]);
}

/** `%` begins a replacement symbol in sbatch's file names and is written twice to stand for itself. */
function outputPath(what: string, path: string): string {
  checked(what, path, /^[\w./%@+=:,-]+$/);
  return path.replaceAll('%', '%%');
}

function headerLine(line: string): string {
  if (!/[\n\r\0]/.test(line)) return line;
  throw new InputError('a header line holds a line break', [
    { path: 'headerLines', message: 'each entry must be one line' },
  ]);
}
