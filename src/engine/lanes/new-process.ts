import type { CalcJobDefinition } from '../../calcjob/define-calcjob.js';
import { cacheKey, insertProcess } from '../../process/create.js';
import type { ProcessDefinition } from '../../process/definition.js';
import { checkInputs, type Leaf } from '../../process/inputs.js';
import { hashOf } from '../../store/data.js';
import type { StoreTransaction } from '../../store/store.js';
import type { ProcessRow } from '../../store/tables.js';
import type { CallOptions } from '../../workflow/context.js';
import type { LaneTools } from '../driver-tools.js';
import { equalProcess, takeOver } from './cache.js';
import { insertReadyCalcJob, prepareCalcJob, type ReadyCalcJob } from './calcjob-run.js';

/** A process that has been checked and can be stored. */
export interface ReadyProcess {
  readonly uuid: string;
  readonly definition: ProcessDefinition;
  readonly inputs: readonly Leaf[];
  readonly options: CallOptions;
  /** Of a calcjob. */
  readonly calcJob: ReadyCalcJob | undefined;
  /** Of whatever calculates: workflows only call others. */
  readonly fingerprint: string | null;
}

/** Where a process stands. */
export interface ProcessPlace {
  readonly parentId: number | null;
  readonly lane: string;
  readonly module: string | null;
  /** Whoever stores it begins it at once. */
  readonly begun: boolean;
}

/** Checks everything that can be checked of a new process. Errors: InputError; nothing is stored then. */
export async function prepareProcess(
  tools: Pick<LaneTools, 'store' | 'repository'>,
  definition: ProcessDefinition,
  given: unknown,
  options: CallOptions & { readonly uuid: string },
): Promise<ReadyProcess> {
  const { uuid } = options;
  const inputs = await checkInputs(definition, given, tools.repository);
  const calcJob =
    definition.kind === 'calcjob'
      ? await prepareCalcJob(tools, definition as CalcJobDefinition, inputs, options)
      : undefined;
  return { uuid, definition, inputs, options, calcJob, fingerprint: fingerprintOf(definition, inputs, calcJob) };
}

/** Null where an equal process may have given something else. */
function fingerprintOf(
  definition: ProcessDefinition,
  inputs: readonly Leaf[],
  calcJob: ReadyCalcJob | undefined,
): string | null {
  if (definition.kind === 'workflow') return null;
  const { remoteCopy, remoteSymlink, unstash, remoteFolder } = calcJob?.job.job ?? {};
  // What a job takes from the computer itself may have changed since.
  if ([remoteCopy, remoteSymlink, unstash, remoteFolder].some((taken) => taken !== undefined)) return null;
  const hashes = inputs.map(({ label, data }) => ({ label, hash: 'uuid' in data ? data.hash : hashOf(data) }));
  return cacheKey(definition, hashes, calcJob === undefined ? null : jobKey(calcJob));
}

/**
 * Stores a process with its inputs. Where its caller or its definition allows that, it takes over what an equal process
 * gave, and has ended then.
 */
export async function storeProcess(
  transaction: StoreTransaction,
  { uuid, definition, inputs, options, calcJob, fingerprint }: ReadyProcess,
  place: ProcessPlace,
  now: number,
): Promise<ProcessRow> {
  const mayReuse = options.cache ?? definition.cache ?? false;
  const equal = mayReuse && fingerprint !== null ? await equalProcess(transaction, fingerprint, definition) : undefined;
  const { label = '', description = '' } = options;
  const begun = place.begun && equal === undefined;
  const row =
    calcJob === undefined
      ? await insertProcess(
          transaction,
          { uuid, definition, label, description, inputs, fingerprint, ...place, begun },
          now,
        )
      : await insertReadyCalcJob(transaction, calcJob, { ...place, fingerprint }, now);
  return equal === undefined ? row : takeOver(transaction, row, equal, now);
}

/** What of a job bears on its results: neither where it stands in a queue nor what it is called. */
function jobKey({ job: { job }, files }: ReadyCalcJob): unknown {
  const {
    label: _l,
    description: _d,
    priority: _p,
    pools: _o,
    queue: _q,
    account: _a,
    qos: _s,
    resources,
    ...rest
  } = job;
  const { walltime: _w, ...size } = resources;
  return { ...rest, resources: size, sent: files.map(({ path, sha256, mode }) => [path, sha256, mode]) };
}
