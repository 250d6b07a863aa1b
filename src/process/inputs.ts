import { formatIssues, issuesError } from '../config/issues.js';
import type { Repository } from '../store/repository.js';
import type { Data } from './data.js';
import type { ProcessSpec } from './definition.js';
import { portAt, portsOf } from './spec.js';
import { type Assembled, assemble } from './spec-assemble.js';
import { checkPort, type Leaf } from './spec-check.js';

export type { Leaf } from './spec-check.js';
export type {
  GivenOutputsOf,
  InputDataOf,
  InputsOf,
  OutputDataOf,
  OutputsOf,
  SeenInputsOf,
} from './spec-types.js';

/**
 * Checks what was given as the inputs of a process, with defaults filled in. Local files are put into the repository;
 * nothing else is stored.
 * @returns every piece of data under its dotted label, in the order of the spec
 * Errors: InputError with everything that is wrong, each with its path
 */
export async function checkInputs(spec: ProcessSpec, given: unknown, repository: Repository): Promise<Leaf[]> {
  const { leaves, issues } = await checkPort(portsOf(spec.inputs), given, [], repository);
  if (issues.length > 0) throw issuesError(`inputs of ${spec.name}`, issues);
  return [...leaves];
}

/**
 * The inputs of a process as it sees them, frozen at every level: plain values, and objects for files and folders.
 * `data` is nested in the same way and has the piece of data for each.
 */
export function assembleInputs(
  spec: ProcessSpec,
  linked: readonly { readonly label: string; readonly data: Data }[],
): Assembled {
  return assemble(portsOf(spec.inputs), linked);
}

/**
 * Checks what a process returned as its outputs. One that is missing or invalid is told as a problem: the others are
 * good, and a process that lacks an output has not excepted, it ends as not successful.
 * Errors: InputError for outputs that were never declared, which is a defect of the definition
 */
export async function checkOutputs(
  spec: ProcessSpec,
  given: unknown,
  repository: Repository,
): Promise<{ leaves: Leaf[]; problems: readonly string[] }> {
  const { leaves, issues, undeclared } = await checkPort(portsOf(spec.outputs), given ?? {}, [], repository);
  if (undeclared.length > 0) throw issuesError(`outputs of ${spec.name}`, undeclared);
  return { leaves: [...leaves], problems: issues.map((issue) => formatIssues('', [issue])) };
}

/**
 * Checks one output that a process emits before its end, under a dotted label; a namespace must be complete.
 * Errors: InputError when it was never declared, or is invalid
 */
export async function checkOutput(
  spec: ProcessSpec,
  label: string,
  value: unknown,
  repository: Repository,
): Promise<Leaf[]> {
  const path = label.split('.');
  const root = portsOf(spec.outputs);
  const port = portAt(root, path);
  const source = `outputs of ${spec.name}`;
  if (port === undefined) {
    throw issuesError(source, [
      { path: label, message: `is not declared (declared: ${[...root.ports.keys()].join(', ')})` },
    ]);
  }
  const { leaves, issues } = await checkPort(port, value, path, repository);
  if (issues.length > 0) throw issuesError(source, issues);
  return [...leaves];
}

/** The outputs of a process as others see them, nested and frozen, and the piece of data of each. */
export function assembleOutputs(
  spec: ProcessSpec,
  linked: readonly { readonly label: string; readonly data: Data }[],
): Assembled {
  return assemble(portsOf(spec.outputs), linked);
}
