import { expect, it } from 'vitest';
import type { LaneTools } from '../../../../src/engine/driver-tools.js';
import { WorkflowHost, type WorkflowKeeper } from '../../../../src/engine/lanes/workflow-host.js';
import type { ProcessDefinition } from '../../../../src/process/definition.js';
import type { ProcessRow } from '../../../../src/store/tables.js';

it('begins every transition of a workflow where the one before has led', async () => {
  const seen: string[] = [];
  let finish: () => void = () => undefined;
  const keeper: WorkflowKeeper = {
    hasRoom: () => true,
    begin: () => undefined,
    rests: () => undefined,
    carryOut: async ({ state }, { to }) => {
      seen.push(`${state} to ${to}`);
      if (to === 'waiting') {
        await new Promise<void>((resolve) => {
          finish = resolve;
        });
      }
      return { state: to } as ProcessRow;
    },
  };
  const row = { id: 1, state: 'running', wakes: 0 } as ProcessRow;
  const host = new WorkflowHost({ now: () => 0 } as LaneTools, row, {} as ProcessDefinition, keeper);
  // It is being written down that it waits when the end comes that it waited for.
  const rests = host.move(() => ({ to: 'waiting' }));
  const goesOn = host.commit({ position: 0, records: [], prepared: [], end: undefined });
  const tooLate = host.move(() => undefined);
  await new Promise((resolve) => setImmediate(resolve));
  finish();
  await Promise.all([rests, goesOn, tooLate]);
  expect(seen).toEqual(['running to waiting', 'waiting to running']);
  expect(host.row.state).toBe('running');
});
