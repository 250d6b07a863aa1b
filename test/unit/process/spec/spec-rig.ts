import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import { InputError, type InputIssue } from '../../../../src/errors.js';
import { Data, dataOf } from '../../../../src/process/data.js';
import type { ProcessSpec } from '../../../../src/process/definition.js';
import { assembleInputs, checkInputs, type Leaf } from '../../../../src/process/inputs.js';
import { hashOf, type NewData } from '../../../../src/store/data.js';
import { Repository } from '../../../../src/store/repository.js';

/** A folder that is gone after the test. */
export async function temporaryFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'wherry-spec-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

export async function temporaryRepository(): Promise<Repository> {
  return new Repository(await temporaryFolder());
}

/** A process that takes these inputs. */
export function taking<Inputs extends z.ZodObject>(inputs: Inputs): ProcessSpec<Inputs> {
  return { name: 'test.taking', inputs, outputs: z.object({}) };
}

/** A process that gives these outputs. */
export function giving<Outputs extends z.ZodObject>(outputs: Outputs): ProcessSpec<z.ZodObject, Outputs> {
  return { name: 'test.giving', inputs: z.object({}), outputs };
}

/** Never read: for inputs without files. */
export const noRepository = new Repository('/nonexistent/repository');

let lastId = 0;

/** Data as it is when it was stored. */
export function asStored(data: NewData, repository: Repository = noRepository): Data {
  lastId += 1;
  const { files = [] } = data;
  const content: unknown = JSON.parse(JSON.stringify(data.content));
  const stored = { ...data, content, files, id: lastId, uuid: `uuid-${lastId}`, hash: hashOf(data) };
  return dataOf(stored, (sha256) => repository.locate(sha256));
}

/** Leaves as the links of a process would have them. */
export function linked(leaves: readonly Leaf[], repository?: Repository): { label: string; data: Data }[] {
  return leaves.map(({ label, data }) => ({
    label,
    data: data instanceof Data ? data : asStored(data, repository),
  }));
}

/** What a process sees of inputs that were given: they are checked, stored and put together again. */
export async function seen(inputs: z.ZodObject, given: unknown): Promise<unknown> {
  const spec = taking(inputs);
  return assembleInputs(spec, linked(await checkInputs(spec, given, noRepository))).values;
}

/** What is wrong with inputs, by path; empty when nothing is. */
export async function mistakes(
  inputs: z.ZodObject,
  given: unknown,
  repository = noRepository,
): Promise<Record<string, string>> {
  try {
    await checkInputs(taking(inputs), given, repository);
    return {};
  } catch (error) {
    return byPath(error);
  }
}

/** The issues of an InputError. */
export function byPath(error: unknown): Record<string, string> {
  if (!(error instanceof InputError)) throw error;
  return Object.fromEntries(error.issues.map((issue: InputIssue) => [issue.path, issue.message]));
}
