import { type Command, type QueryContext, quote, type SubmitRequest, z } from '../../src/plugin.js';
import { programs, wrapperHash, wrapperProgram } from './queue-program.js';

const only = (message: string) => z.never({ error: message }).optional();

/** What a computer without a batch system can promise: processors to count and a time to end. */
export const DirectResources = z.strictObject({
  nodes: z.literal(1, { error: 'direct runs jobs on one computer: nodes can only be 1' }).optional(),
  tasksPerNode: z.int().min(1).max(100_000).optional(),
  cpusPerTask: z.int().min(1).max(100_000).optional(),
  walltime: z.number().min(1).max(315_360_000).optional(),
  gpusPerNode: only('direct does not manage GPUs: choose them in the job itself, for example by CUDA_VISIBLE_DEVICES'),
  memoryPerNode: only('direct cannot limit the memory of a whole job: leave memoryPerNode out'),
});

/** Options of a computer with this scheduler. */
export const DirectOptions = z
  .strictObject({
    /** How many processors its jobs may use together. Default: all that are online. */
    slots: z.int().min(1).max(100_000).optional(),
  })
  .default({});

type Verb = 'submit' | 'list' | 'find' | 'kill' | 'accounting';

function slotsOf(options: unknown): string {
  return String(DirectOptions.parse(options ?? {}).slots ?? 'auto');
}

function call(verb: Verb, context: { workDirectory: string; options: unknown }, ...rest: string[]): Command {
  const { workDirectory, options } = context;
  const program = verb === 'find' || verb === 'accounting' ? programs.list : programs[verb];
  const wrapper = verb === 'submit' ? wrapperProgram : '';
  // The program stands behind the name of the command, so that the messages of the shell begin with the name alone.
  const shell = [
    'sh',
    '-c',
    'wherry_direct_program=$1; shift; eval "$wherry_direct_program"',
    'wherry-direct',
  ] as const;
  return { words: [...shell, program, wrapper, verb, workDirectory, wrapperHash, slotsOf(options), ...rest] };
}

const lines = (values: readonly string[]) => values.map((value) => `${value}\n`).join('');

export function submit(request: SubmitRequest): Command {
  const { resources } = request;
  const processors = (resources.tasksPerNode ?? 1) * (resources.cpusPerTask ?? 1);
  const walltime = resources.walltime === undefined ? '-' : String(Math.ceil(resources.walltime));
  const place = [
    `wherry_direct_directory=${quote(request.directory)}`,
    `wherry_direct_script=${quote(request.script)}`,
  ].join('\n');
  return call('submit', request, request.name, String(processors), walltime, place);
}

/** Lists whatever is queued or running, and those of `ids` that have ended. Starts what can be started. */
export function list(query: QueryContext & { readonly ids: readonly string[] }): Command {
  return { ...call('list', query), stdin: lines(query.ids) };
}

export function find(query: QueryContext & { readonly name: string }): Command {
  return { ...call('find', query), stdin: lines([query.name]) };
}

export function kill(query: QueryContext & { readonly ids: readonly string[] }): Command {
  return { ...call('kill', query), stdin: lines(query.ids) };
}

export function accounting(query: QueryContext & { readonly ids: readonly string[] }): Command {
  return { ...call('accounting', query), stdin: lines(query.ids) };
}
