import { linkLeaves, runStage } from '../../process/create.js';
import { standardExit, success } from '../../process/exit-codes.js';
import { assembleInputs, checkOutputs, type Leaf } from '../../process/inputs.js';
import { type ProcessReference, runCodeIn } from '../../process/process-stack.js';
import type { Transition } from '../../process/transition.js';
import type { ProcessRow } from '../../store/tables.js';
import { type Caller, withCaller } from '../../workflow/caller.js';
import { type FunctionDefinition, namedOutputs } from '../../workflow/functions.js';
import type { LaneTools } from '../driver-tools.js';
import { excepted } from './excepted.js';
import { namedData } from './results.js';

/** Runs a function from its stored inputs, and stores what it gives. Errors: those of `carryOut`. */
export async function runFunction(
  tools: LaneTools,
  row: ProcessRow,
  definition: FunctionDefinition,
  carryOut: (row: ProcessRow, transition: Transition) => Promise<ProcessRow>,
  callerOf: (parent: ProcessRow) => Caller,
  callers: readonly ProcessReference[],
): Promise<void> {
  const { store, repository, now } = tools;
  const begun = row.state === 'running' ? row : await carryOut(row, { to: 'running', stage: runStage, dueAt: null });
  const inputs = await namedData(store, (sha256) => repository.locate(sha256), row.id, 'inputs');
  const values = assembleInputs(definition, inputs).values as Readonly<Record<string, never>>;
  const given = definition.parameters.map((parameter) => values[parameter] as never);
  const reference = { id: row.id, uuid: row.uuid, name: row.name };
  let transition: Transition;
  let leaves: readonly Leaf[] = [];
  try {
    const work = () => withCaller(callerOf(begun), () => definition.body(...given));
    const gave = await runCodeIn(reference, work, callers);
    const checked = await checkOutputs(definition, namedOutputs(definition, gave), repository);
    leaves = checked.leaves;
    const { problems } = checked;
    const exit = problems.length === 0 ? success : standardExit('INVALID_OUTPUT', problems.join('; '));
    transition = { to: 'finished', exit };
  } catch (error) {
    transition = excepted(error);
  }
  await carryOut(begun, {
    ...transition,
    also: async (transaction) => {
      await linkLeaves(transaction, row.id, 'output', leaves, now());
    },
  });
}
