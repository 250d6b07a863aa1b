import type { z } from 'zod';
import type { JobInput } from '../config/job.js';
import type { FolderData, LocalFile, RemoteFolderData } from '../process/data.js';
import {
  type ExitCodeTemplates,
  expectFunction,
  type ProcessDefinition,
  type ProcessSpec,
  register,
} from '../process/definition.js';
import type { ExitCode } from '../process/exit-codes.js';
import { withPorts } from '../process/expose.js';
import type { GivenOutputsOf, SeenInputsOf } from '../process/inputs.js';
import { folder, type RemotePlace, remoteFolder } from '../process/namespace.js';
import type { InputFolder } from './input-folder.js';

/** What a definition says of its job: everything that a job file may say, except for what its caller decides. */
export type PreparedCalcJob = Omit<JobInput, 'files' | 'parser' | 'label' | 'description'>;

/** What the caller of a calcjob says of its job: where it runs, with which resources, and what else a job file may say. */
export type JobOptions = Partial<Omit<JobInput, 'files' | 'parser' | 'label' | 'description' | 'command'>>;

/** What a definition prepares a job from. */
export interface Preparation<Inputs> {
  readonly inputs: Inputs;
  /** Input files are written here. */
  readonly folder: InputFolder;
}

/** An end with one of the exit codes of a definition. */
export class CalcJobExit {
  readonly label: string;
  readonly parameters: Readonly<Record<string, string | number>>;
  /** What can be given although it failed. */
  readonly outputs: unknown;

  constructor(label: string, parameters: Readonly<Record<string, string | number>>, outputs: unknown) {
    this.label = label;
    this.parameters = parameters;
    this.outputs = outputs;
  }
}

/** What a definition reads outputs from. */
export interface ParseContext<Inputs, Codes extends ExitCodeTemplates> {
  readonly inputs: Inputs;
  /** What was brought back. */
  readonly retrieved: FolderData;
  /** What was retrieved for the parser alone: path → local file. */
  readonly temporaryFiles: Readonly<Record<string, string>>;
  /** How it would end without a word of the parser: the scheduler or the command failed; null when all is well. */
  readonly failure: ExitCode | null;
  /** Ends the process with one of its exit codes: return what this gives. */
  exit(
    label: keyof Codes & string,
    parameters?: Readonly<Record<string, string | number>>,
    outputs?: unknown,
  ): CalcJobExit;
}

/** A calcjob as its author writes it. */
export interface CalcJobSpec<Inputs extends z.ZodObject, Outputs extends z.ZodObject, Codes extends ExitCodeTemplates>
  extends ProcessSpec<Inputs, Outputs, Codes> {
  /** Writes input files and says what to run. It is called once, when the process is made. */
  prepare(
    preparation: Preparation<SeenInputsOf<{ readonly inputs: Inputs }>>,
  ): PreparedCalcJob | Promise<PreparedCalcJob>;
  /** Reads the outputs from what was brought back; it may be called again when a worker dies. */
  parse?(
    context: ParseContext<SeenInputsOf<{ readonly inputs: Inputs }>, Codes>,
  ):
    | GivenOutputsOf<{ readonly outputs: Outputs }>
    | CalcJobExit
    | Promise<GivenOutputsOf<{ readonly outputs: Outputs }> | CalcJobExit>;
}

/** What every calcjob gives beside its own outputs, unless it has one of the same name. */
const commonOutputs = {
  retrieved: folder().optional().describe('what was brought back'),
  remoteFolder: remoteFolder().optional().describe('the directory of its job'),
  stash: remoteFolder().optional().describe('where files of it are kept on the computer'),
};

/** The outputs of every calcjob. Whoever gives them need not have them, but those that a calcjob gives are there. */
export interface CommonOutputs {
  readonly retrieved: z.ZodType<FolderData, FolderData | LocalFile | undefined>;
  readonly remoteFolder: z.ZodType<RemoteFolderData, RemoteFolderData | RemotePlace | undefined>;
  readonly stash: z.ZodOptional<z.ZodType<RemoteFolderData, RemoteFolderData | RemotePlace>>;
}

type WithCommon<Outputs extends z.ZodObject> =
  Outputs extends z.ZodObject<infer Shape, infer Config>
    ? z.ZodObject<Shape & Omit<CommonOutputs, keyof Shape>, Config>
    : never;

/** A calcjob that can be run, submitted, and called by workflows. */
export interface CalcJobDefinition<
  Inputs extends z.ZodObject = z.ZodObject,
  Outputs extends z.ZodObject = z.ZodObject,
  Codes extends ExitCodeTemplates = ExitCodeTemplates,
> extends ProcessDefinition<Inputs, Outputs, Codes> {
  readonly kind: 'calcjob';
  readonly prepare: (preparation: Preparation<never>) => PreparedCalcJob | Promise<PreparedCalcJob>;
  readonly parse?: (context: ParseContext<never, ExitCodeTemplates>) => unknown;
}

/**
 * Defines a calcjob: what is run on a computer, and what is read from what it leaves there.
 * Errors: `bad-definition` for a name that cannot be one, or that is taken.
 *
 * @example
 * export const Add = defineCalcJob({
 *   name: 'arithmetic.add-on-computer',
 *   inputs: z.object({ x: z.number(), y: z.number() }),
 *   outputs: z.object({ sum: z.number() }),
 *   exitCodes: { NO_RESULT: { status: 310, message: 'the result file is missing' } },
 *   async prepare({ inputs, folder }) {
 *     await folder.write('in.txt', `${inputs.x} ${inputs.y}\n`);
 *     return { command: ['awk', '{print $1 + $2}', 'in.txt'], stdout: 'out.txt', retrieve: ['out.txt'] };
 *   },
 *   async parse({ retrieved, exit }) {
 *     if (!retrieved.has('out.txt')) return exit('NO_RESULT');
 *     return { sum: Number(await retrieved.text('out.txt')) };
 *   },
 * });
 */
export function defineCalcJob<
  Inputs extends z.ZodObject,
  Outputs extends z.ZodObject,
  const Codes extends ExitCodeTemplates = Record<never, never>,
>(spec: CalcJobSpec<Inputs, Outputs, Codes>): CalcJobDefinition<Inputs, WithCommon<Outputs>, Codes> {
  expectFunction(spec.name, 'prepare', spec.prepare);
  const outputs = withPorts(spec.outputs, commonOutputs);
  return register({ version: 1, ...spec, outputs, kind: 'calcjob' } as unknown as CalcJobDefinition<
    Inputs,
    WithCommon<Outputs>,
    Codes
  >);
}
