import { InputError, type JobHeader, type Resources, resourceFields, z } from '../../src/plugin.js';

/** What PBS can be asked for. */
export const PbsProResources = z.strictObject(resourceFields);

/** The `#PBS` lines of a job. Custom lines come last: qsub stops reading directives at the first command. */
export function header(job: JobHeader): string[] {
  const options: readonly (readonly [string, string | undefined])[] = [
    ['-N', checked('name', job.name, /^[A-Za-z0-9][\w.-]{0,63}$/)],
    // A colon would make the text before it the name of a host.
    ['-o', checked('stdout', job.stdout, /^[\w./%@+=,][\w./%@+=,-]*$/)],
    ['-e', checked('stderr', job.stderr, /^[\w./%@+=,][\w./%@+=,-]*$/)],
    ...resourceOptions(job),
    ['-q', checked('queue', job.queue, /^[A-Za-z0-9][\w.@-]*$/)],
    ['-A', checked('account', job.account, /^[\w.@+:][\w.@+:-]*$/)],
    ['-r', job.rerunnable === undefined ? undefined : job.rerunnable ? 'y' : 'n'],
    ...mailOptions(job.mail),
  ];
  return [
    ...options.flatMap(([name, value]) => (value === undefined ? [] : [`#PBS ${name} ${value}`])),
    ...(job.hold ? ['#PBS -h'] : []),
    ...(job.importEnvironment ? ['#PBS -V'] : []),
    ...(job.headerLines ?? []).map(headerLine),
  ];
}

function mailOptions(mail: JobHeader['mail']): (readonly [string, string | undefined])[] {
  if (mail === undefined) return [];
  const { onFail, onBegin, onEnd } = mail;
  return [
    ['-m', `${onFail ? 'a' : ''}${onBegin ? 'b' : ''}${onEnd ? 'e' : ''}`],
    ['-M', checked('mail.to', mail.to, /^[\w.+%][\w.+%@-]*$/)],
  ];
}

function resourceOptions({ resources, exclusive }: JobHeader): (readonly [string, string])[] {
  const { nodes = 1, walltime } = resources;
  const chunk = chunkOf(resources);
  // Without scatter PBS may put all chunks on one host.
  const place = [...(nodes > 1 ? ['scatter'] : []), ...(exclusive ? ['excl'] : [])].join(':');
  return [
    ...(chunk === undefined ? [] : [['-l', `select=${nodes}:${chunk}`] as const]),
    ...(place === '' ? [] : [['-l', `place=${place}`] as const]),
    ...(walltime === undefined ? [] : [['-l', `walltime=${formatTime(walltime)}`] as const]),
  ];
}

/** What one node is asked for: all tasks of the node and the processors of all of them. */
function chunkOf(resources: Resources): string | undefined {
  const { nodes, tasksPerNode, cpusPerTask, gpusPerNode, memoryPerNode } = resources;
  if ([nodes, tasksPerNode, cpusPerTask, gpusPerNode, memoryPerNode].every((value) => value === undefined)) {
    return undefined;
  }
  const tasks = tasksPerNode ?? 1;
  const parts: Readonly<Record<string, number | string | undefined>> = {
    ncpus: tasks * (cpusPerTask ?? 1),
    mpiprocs: tasks,
    // Else PBS sets OMP_NUM_THREADS to all processors of the chunk.
    ompthreads: cpusPerTask,
    ngpus: gpusPerNode,
    mem: memoryPerNode === undefined ? undefined : `${Math.ceil(memoryPerNode / 2 ** 20)}mb`,
  };
  return Object.entries(parts)
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]))
    .join(':');
}

/** Seconds as `hh:mm:ss`, rounded up; the hours may be many. */
export function formatTime(seconds: number): string {
  const whole = Math.ceil(seconds);
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0');
  return `${two(whole / 3_600)}:${two((whole % 3_600) / 60)}:${two(whole % 60)}`;
}

function checked(what: string, value: string | undefined, allowed: RegExp): string | undefined {
  if (value === undefined || (allowed.test(value) && !value.endsWith('\n'))) return value;
  throw new InputError(`${what} ${JSON.stringify(value)} cannot be given to PBS`, [
    { path: what, message: 'has characters that cannot be part of it' },
  ]);
}

function headerLine(line: string): string {
  if (!/[\n\r\0]/.test(line)) return line;
  throw new InputError('a header line holds a line break', [
    { path: 'headerLines', message: 'each entry must be one line' },
  ]);
}
