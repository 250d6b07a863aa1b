import { readState } from '../../calcjob/context.js';
import {
  type CalcJobProcess,
  insertCalcJob,
  type PreparedJob,
  type StoredJob,
  storeFiles,
  Turns,
} from '../../calcjob/create.js';
import { type CalcJobDefinition, CalcJobExit } from '../../calcjob/define-calcjob.js';
import { endingOf } from '../../calcjob/ending.js';
import { InputFolder } from '../../calcjob/input-folder.js';
import { exitOf } from '../../calcjob/parse.js';
import { locateTemporary, retrieveAgain, withoutTemporary } from '../../calcjob/passing.js';
import type { Job } from '../../config/job.js';
import { InputError, messageOf } from '../../errors.js';
import { linkLeaves } from '../../process/create.js';
import { dataOf, FolderData, type Locate } from '../../process/data.js';
import { exitCode } from '../../process/exit-code-template.js';
import { type ExitCode, standardExit } from '../../process/exit-codes.js';
import { assembleInputs, checkOutputs, type Leaf } from '../../process/inputs.js';
import { type ProcessReference, runCodeIn } from '../../process/process-stack.js';
import type { Transition } from '../../process/transition.js';
import { hashOf, type NewData, type StoredFile } from '../../store/data.js';
import type { StoreTransaction } from '../../store/store.js';
import type { ProcessRow } from '../../store/tables.js';
import type { CallOptions } from '../../workflow/context.js';
import type { LaneTools } from '../driver-tools.js';
import { prepareJob } from '../prepare-jobs.js';
import { jobOfDefinition } from './definition-job.js';
import { excepted } from './excepted.js';
import { namedData } from './results.js';

/** A calcjob that is ready to be stored. */
export interface ReadyCalcJob extends StoredJob {
  readonly definition: CalcJobDefinition;
  readonly inputs: readonly Leaf[];
}

/**
 * Has a definition prepare its job, and checks it as far as that can be done without the computer.
 * Errors: InputError; code of the user that fails is bad input as well, for nothing has been stored yet.
 */
export async function prepareCalcJob(
  { store, repository }: Pick<LaneTools, 'store' | 'repository'>,
  definition: CalcJobDefinition,
  inputs: readonly Leaf[],
  options: CallOptions & { readonly uuid: string },
): Promise<ReadyCalcJob> {
  const { uuid } = options;
  const locate: Locate = (sha256) => repository.locate(sha256);
  const seen = inputs.map(({ label: name, data }) => ({
    label: name,
    data: 'uuid' in data ? data : passing(data, locate),
  }));
  const folder = new InputFolder();
  const prepared = await (async () => {
    try {
      const { values } = assembleInputs(definition, seen);
      return await definition.prepare({ inputs: values as never, folder });
    } catch (error) {
      if (error instanceof InputError) throw error;
      throw new InputError(`${definition.name} could not prepare its job: ${messageOf(error)}`, [], { cause: error });
    }
  })();
  const origin = { source: `job of ${definition.name}` };
  const job = await jobOfDefinition(prepared, options, origin);
  const kept = { uuid, exclude: job.exclude };
  const written = await folder.store(repository, kept);
  const ready: PreparedJob = await prepareJob({ store }, { job, files: written, origin, uuid });
  const files = await storeFiles(repository, ready.files, kept);
  return { definition, inputs, job: ready, uuid, files };
}

/** Data that is not stored yet, as a definition sees it. */
function passing(data: NewData, locate: Locate) {
  return dataOf({ ...data, files: data.files ?? [], id: 0, uuid: '', hash: hashOf(data) }, locate);
}

/** Stores a calcjob of a definition with its inputs. */
export async function insertReadyCalcJob(
  transaction: StoreTransaction,
  ready: ReadyCalcJob,
  { parentId, lane, module, fingerprint }: Pick<CalcJobProcess, 'parentId' | 'lane' | 'module' | 'fingerprint'>,
  now: number,
): Promise<ProcessRow> {
  const { name, version } = ready.definition;
  const row = await insertCalcJob(
    transaction,
    ready,
    { name, version, parentId, lane, module, fingerprint },
    new Turns(transaction),
    now,
  );
  await linkLeaves(transaction, row.id, 'input', ready.inputs, now);
  return row;
}

/** Reads the outputs of a calcjob from what was brought back. Errors: those of `carryOut` and of the store. */
export async function parseCalcJob(
  tools: LaneTools,
  row: ProcessRow,
  definition: CalcJobDefinition,
  carryOut: (row: ProcessRow, transition: Transition) => Promise<ProcessRow>,
  callers: readonly ProcessReference[],
): Promise<void> {
  const { store, repository, now } = tools;
  const locate: Locate = (sha256) => repository.locate(sha256);
  const temporaryFiles = await locateTemporary(row, tools);
  if (temporaryFiles === undefined) {
    await carryOut(row, retrieveAgain);
    return;
  }
  const state = readState(row);
  const job = JSON.parse(row.inputs) as Job;
  const ending = await endingOf(store, row, job);
  const end = ending.exit(exitOf(state));
  const failure = end.status === 0 ? null : end;
  const brought: NewData = { type: 'folder', content: {}, files: await outputFiles(tools, row.id) };
  const retrieved = new FolderData({ ...brought, files: brought.files ?? [], id: 0, uuid: '', hash: '' }, locate);
  const inputs = await namedData(store, locate, row.id, 'inputs');
  const reference = { id: row.id, uuid: row.uuid, name: row.name };
  let ended: { readonly transition: Transition; readonly leaves: readonly Leaf[] };
  try {
    const { values } = assembleInputs(definition, inputs);
    const context = {
      inputs: values as never,
      retrieved,
      temporaryFiles,
      failure,
      exit: (label: string, parameters = {}, outputs: unknown = {}) => new CalcJobExit(label, parameters, outputs),
    };
    const read = async () => (ending.unread ? undefined : definition.parse?.(context)) ?? {};
    ended = await endOf(tools, definition, await runCodeIn(reference, read, callers), failure);
  } catch (error) {
    ended = { transition: excepted(error), leaves: [] };
  }
  const taken = new Set(ended.leaves.map(({ label }) => label));
  const own: Leaf[] = [{ label: 'retrieved', data: brought }];
  if (row.remote_directory !== null) {
    const content = { computer: job.computer, path: row.remote_directory };
    own.push({ label: 'remoteFolder', data: { type: 'remote-folder', content } });
  }
  const { stash } = state;
  if (typeof stash === 'object' && 'path' in stash) {
    const content = { computer: job.computer, path: stash.path };
    own.push({ label: 'stash', data: { type: 'remote-folder', content } });
  }
  const leaves = [...ended.leaves, ...own.filter(({ label }) => !taken.has(label))];
  const { exit } = ended.transition;
  const cleaning = withoutTemporary(row, job);
  await carryOut(row, {
    ...ended.transition,
    ...(exit === undefined ? {} : { exit: ending.exit(exit) }),
    ...(Object.keys(ending.outputs).length === 0 ? {} : { outputs: ending.outputs }),
    ...cleaning,
    also: async (transaction, after) => {
      await cleaning.also?.(transaction, after);
      await linkLeaves(transaction, row.id, 'output', leaves, now());
    },
  });
}

async function endOf(
  { repository }: LaneTools,
  definition: CalcJobDefinition,
  gave: unknown,
  failure: ExitCode | null,
): Promise<{ readonly transition: Transition; readonly leaves: readonly Leaf[] }> {
  if (gave instanceof CalcJobExit) {
    const { leaves } = await checkOutputs(definition, gave.outputs, repository);
    return { transition: { to: 'finished', exit: exitCode(definition, gave.label, gave.parameters) }, leaves };
  }
  const { leaves, problems } = await checkOutputs(definition, gave, repository);
  const exit =
    failure ??
    (problems.length === 0
      ? { status: 0, label: '', message: '' }
      : standardExit('INVALID_OUTPUT', problems.join('; ')));
  return { transition: { to: 'finished', exit }, leaves };
}

async function outputFiles({ store }: LaneTools, processId: number): Promise<StoredFile[]> {
  const files = await store
    .selectFrom('files')
    .select(['path', 'sha256', 'size', 'mode'])
    .where('process_id', '=', processId)
    .where('role', '=', 'outputs')
    .where('path', 'not like', '.wherry/%')
    .orderBy('path')
    .execute();
  return files.map((file) => ({ ...file, size: Number(file.size) }));
}
