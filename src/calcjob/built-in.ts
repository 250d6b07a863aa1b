import { z } from 'zod';
import { LocalFile } from '../process/data.js';
import type { ProcessDefinition } from '../process/definition.js';
import { file, folder, namespace, remoteFolder } from '../process/namespace.js';
import { defineCalcJob } from './define-calcjob.js';

/** A command on a computer: what a job file says, as a process that workflows can call. */
export const Shell = defineCalcJob({
  name: 'shell',
  description: 'Runs a command on a computer, with files, and gives what it prints and what is retrieved.',
  inputs: z.object({
    command: z.array(z.string()).min(1).describe('the program and its arguments'),
    files: namespace(
      {},
      { dynamic: file(), optional: true, help: 'sent under their own names, whatever they are called here' },
    ),
    folder: folder().optional().describe('what is in it is sent'),
    stdin: z.string().optional().describe('the sent file that the command reads'),
  }),
  outputs: z.object({
    stdout: file().optional().describe('what it printed'),
    stderr: file().optional().describe('what it printed as errors'),
  }),
  prepare({ inputs, folder: sent }) {
    if (inputs.folder !== undefined) sent.copy('.', inputs.folder);
    for (const [name, data] of Object.entries(inputs.files ?? {})) sent.copy(data.name === '' ? name : data.name, data);
    const stdin = inputs.stdin === undefined ? {} : { stdin: inputs.stdin };
    return { command: [...inputs.command], ...stdin, retrieve: ['stdout.txt', 'stderr.txt'] };
  },
  async parse({ retrieved }) {
    const outputs: { stdout?: LocalFile; stderr?: LocalFile } = {};
    for (const name of ['stdout', 'stderr'] as const) {
      const path = `${name}.txt`;
      if (retrieved.has(path)) outputs[name] = new LocalFile(await retrieved.locate(path), path);
    }
    return outputs;
  },
});

/** Adds two numbers on a computer: the smallest job that has a result. */
export const ArithmeticAdd = defineCalcJob({
  name: 'arithmetic.add',
  description: 'Adds two numbers on a computer.',
  inputs: z.object({ x: z.number(), y: z.number() }),
  outputs: z.object({ sum: z.number() }),
  exitCodes: {
    NO_RESULT: { status: 310, message: 'the file with the result is missing' },
    NO_NUMBER: { status: 320, message: 'the result is no number: {text}' },
  },
  prepare: ({ inputs }) => ({
    command: ['awk', `BEGIN { printf "%.17g\\n", ${inputs.x} + ${inputs.y} }`],
    stdout: 'sum.txt',
    retrieve: ['sum.txt'],
  }),
  async parse({ retrieved, exit }) {
    if (!retrieved.has('sum.txt')) return exit('NO_RESULT');
    const text = (await retrieved.text('sum.txt')).trim();
    const sum = Number(text);
    return text === '' || !Number.isFinite(sum) ? exit('NO_NUMBER', { text: text.slice(0, 100) }) : { sum };
  },
});

const place = { source: remoteFolder().describe('where they are') };
const names = z.array(z.string()).min(1).describe('names and patterns');

/** Brings files from a directory on a computer; nothing is submitted there. */
export const Transfer = defineCalcJob({
  name: 'transfer',
  description: 'Brings files from a directory on a computer, without a job.',
  inputs: z.object({ ...place, files: names }),
  outputs: z.object({}),
  prepare: ({ inputs }) => ({ ...nothing(inputs.source.value), retrieve: [...inputs.files] }),
});

/** Keeps files of a directory on a computer in another place there; nothing is submitted. */
export const Stash = defineCalcJob({
  name: 'stash',
  description: 'Keeps files of a directory on a computer in another place there, without a job.',
  inputs: z.object({
    ...place,
    files: names,
    to: z.string().describe('an absolute directory, in which they get a folder of their own'),
    mode: z.enum(['copy', 'tar', 'tar.gz', 'tar.xz']).default('copy').describe('as they are, or in one archive'),
  }),
  outputs: z.object({}),
  prepare({ inputs: { source, files, to, mode } }) {
    return { ...nothing(source.value), stash: { to, files: [...files], mode, failOnMissing: true } };
  },
});

/** Brings back what was stashed, into a new directory on the same computer. */
export const Unstash = defineCalcJob({
  name: 'unstash',
  description: 'Brings what was stashed into a new directory on the same computer.',
  inputs: z.object({
    source: remoteFolder().describe('a stash'),
    files: names.optional().describe('names and patterns; default: everything'),
  }),
  outputs: z.object({}),
  prepare({ inputs: { source, files } }) {
    const { computer, path } = source.value;
    return {
      computer,
      command: ['true'],
      unstash: { from: path, ...(files === undefined ? {} : { files: [...files] }) },
    };
  },
});

/** All of them, by their names. */
export const builtIn: ReadonlyMap<string, ProcessDefinition> = new Map(
  [Shell, ArithmeticAdd, Transfer, Stash, Unstash].map((definition) => [
    definition.name,
    definition as unknown as ProcessDefinition,
  ]),
);

/** A run that is over: it is only retrieved. */
function nothing({ computer, path }: { readonly computer: string; readonly path: string }) {
  return { computer, command: ['true'], remoteFolder: path };
}
