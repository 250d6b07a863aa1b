import type { CodeConfig } from '../config/code.js';
import type { ComputerConfig } from '../config/computer.js';
// In a file of its own: lists are read without whatever checks codes.
import { imagePlaceholder } from '../config/image-placeholder.js';
import type { Job } from '../config/job.js';
import { InputError, WherryError } from '../errors.js';
import { quote, quoteWithVariables } from '../plugin/shell.js';

/** One program of a job: a command, or a code with its arguments. */
export interface Program {
  /** Its place in the job, for messages. */
  readonly path: readonly (string | number)[];
  readonly words: readonly string[];
  readonly code?: CodeConfig;
  /** Undefined: those of the job. */
  readonly stdin?: string | undefined;
  readonly stdout?: string | undefined;
  readonly stderr?: string | undefined;
  /** What the job says of this program alone. */
  readonly mpi?: boolean | undefined;
  readonly mpirunExtra: readonly string[];
}

/** The programs of a job in their order. Errors: `internal` for a code whose definition was not stored with it. */
export function programsOf(job: Job): Program[] {
  if (job.codes !== undefined) {
    return job.codes.map(({ code, arguments: words, stdin, stdout, stderr, mpi, mpirunExtra = [] }, index) => ({
      ...{ path: ['codes', index], stdin, stdout, stderr, mpi },
      mpirunExtra: [...(job.mpirunExtra ?? []), ...mpirunExtra],
      ...codeWords(job, code, words),
    }));
  }
  const { command = [], code, arguments: words = [], mpirunExtra = [] } = job;
  const run = code === undefined ? { words: command } : codeWords(job, code, words);
  return [{ path: [], mpirunExtra, ...run }];
}

function codeWords(job: Job, name: string, words: readonly string[]): Pick<Program, 'words'> & { code: CodeConfig } {
  const code = job.codeDefinitions?.[name];
  if (code === undefined) throw new WherryError('internal', `the code ${name} was not stored with its job`);
  return { words: [code.folder === undefined ? code.executable : `./${code.executable}`, ...words], code };
}

/** The codes of some programs, each once, in the order of their first use. */
export function codesOf(programs: readonly Program[]): CodeConfig[] {
  return [...new Set(programs.flatMap(({ code }) => code ?? []))];
}

/** Every file that the job's programs write by themselves. */
export function streamsOf({ stdout, stderr, codes = [] }: Pick<Job, 'stdout' | 'stderr' | 'codes'>): string[] {
  return [...new Set([stdout, stderr, ...codes.flatMap((call) => [call.stdout ?? [], call.stderr ?? []].flat())])];
}

/** The line of the job script that runs a program; variables are filled in where its code or its computer says so. */
export function programLine(program: Program, job: Job, computer: ComputerConfig): string {
  const { words, code, stdin, stdout, stderr } = program;
  const written = code?.doubleQuotes ? quoteWithVariables : quote;
  const line = words.map(written).join(' ');
  return [
    ...mpiWords(program, job, computer).map(computer.doubleQuotes ? quoteWithVariables : quote),
    ...engineWords(code).map(written),
    // What is read by the shell in the container is filled in there.
    code?.wrapParameters ? quote(line) : line,
    ...redirections({ stdin, stdout, stderr }),
  ].join(' ');
}

function engineWords(code: CodeConfig | undefined): string[] {
  const { image = '', engine = [] } = code ?? {};
  return engine.map((word) => word.replaceAll(imagePlaceholder, () => image));
}

/** `< ./in > ./out 2> ./err`, as far as they are given. */
export function redirections(streams: Pick<Program, 'stdin' | 'stdout' | 'stderr'>): string[] {
  const { stdin, stdout, stderr } = streams;
  return [
    ...(stdin === undefined ? [] : [`< ${quote(`./${stdin}`)}`]),
    ...(stdout === undefined ? [] : [`> ${quote(`./${stdout}`)}`]),
    ...(stderr === undefined ? [] : [stderr === stdout ? '2>&1' : `2> ${quote(`./${stderr}`)}`]),
  ];
}

/** Does a program run under MPI? What job, call and code say of it comes before the number of tasks. */
export function runsUnderMpi(program: Program, job: Job, computer: Pick<ComputerConfig, 'mpirun'>): boolean {
  const { nodes = 1, tasksPerNode = 1 } = job.resources;
  return program.mpi ?? job.mpi ?? program.code?.mpi ?? (computer.mpirun.length > 0 && nodes * tasksPerNode > 1);
}

function mpiWords(program: Program, job: Job, computer: ComputerConfig): string[] {
  if (!runsUnderMpi(program, job, computer)) return [];
  const { nodes = 1, tasksPerNode = 1, cpusPerTask = 1, gpusPerNode = 0, memoryPerNode, walltime } = job.resources;
  const totalTasks = nodes * tasksPerNode;
  const values = { nodes, tasksPerNode, cpusPerTask, gpusPerNode, totalTasks, memoryPerNode, walltime };
  const filled = computer.mpirun.map((word) =>
    word.replace(/\{(\w+)\}/g, (whole, name: string) => {
      if (!Object.hasOwn(values, name)) return whole;
      const value = values[name as keyof typeof values];
      if (value !== undefined) return String(value);
      throw new InputError(`the mpirun of ${computer.label} needs ${name}, which the job does not ask for`);
    }),
  );
  return [...filled, ...program.mpirunExtra];
}
