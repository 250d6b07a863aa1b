import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { beginMonitoring } from '../../../src/calcjob/monitors.js';
import { computerSchema } from '../../../src/config/computer.js';
import { type JobInput, jobSchema } from '../../../src/config/job.js';
import { addComputer } from '../../../src/engine/computers.js';
import { dueForMonitors } from '../../../src/engine/monitor-work.js';
import { carryOut } from '../../../src/process/transition.js';
import type { ComputerRow, ProcessRow } from '../../../src/store/tables.js';
import { insertProcess, storedProcess } from '../process/stored-process.js';
import { type TemporaryStore, temporaryStore } from '../store/temporary-store.js';

let rig: TemporaryStore;
let computer: ComputerRow;
const now = 1_000_000;
beforeEach(async () => {
  rig = await temporaryStore();
  const config = computerSchema.parse({ label: 'here', transport: 't', scheduler: 's', workDirectory: '/w' });
  computer = await addComputer(rig.store, config);
});
afterEach(() => rig[Symbol.asyncDispose]());

/** A process whose job runs, with monitors. */
async function running(monitors: JobInput['monitors']): Promise<ProcessRow> {
  const columns = { state: 'waiting', stage: 'update', scheduler_state: 'running', computer_id: computer.id };
  const row = await insertProcess(rig.store, columns);
  const job = jobSchema.parse({ command: ['true'], monitors });
  await rig.store.transaction().execute((transaction) => beginMonitoring(transaction, row, job, now));
  return row;
}
const due = async (at: number, except: number[] = []) => {
  const { rows, nextAt } = await dueForMonitors(rig.store, computer.id, at, new Set(except));
  return { ids: rows.map(({ id }) => id), nextAt };
};
const put = (time: number | null) => rig.store.updateTable('monitors').set({ due_at: time }).execute();

describe('processes whose monitors are due', () => {
  it('are those of running jobs, which nobody has paused or kills or works on', async () => {
    const row = await running({ one: { module: 'm.js' } });
    await running({ off: { module: 'm.js', disabled: true } });
    await running(undefined);
    expect(await due(now)).toEqual({ ids: [row.id], nextAt: now + 5_000 });
    expect((await due(now, [row.id])).ids).toEqual([]);
    expect((await dueForMonitors(rig.store, computer.id + 1, now, new Set())).rows).toEqual([]);
    const set = (columns: object) => rig.store.updateTable('processes').set(columns).where('id', '=', row.id).execute();
    const others = { paused: 1, kill_requested_at: 1, scheduler_state: 'queued', stage: 'retrieve' };
    for (const [name, value] of Object.entries(others)) {
      await set({ [name]: value });
      expect((await due(now)).ids).toEqual([]);
      await set({ paused: 0, kill_requested_at: null, scheduler_state: 'running', stage: 'update' });
    }
    expect((await due(now)).ids).toEqual([row.id]);
  });

  it('come at their time, and never again when they have ended', async () => {
    const row = await running({ one: { module: 'm.js' } });
    await put(now + 30_000);
    expect(await due(now)).toEqual({ ids: [], nextAt: now + 5_000 });
    expect(await due(now + 29_000)).toEqual({ ids: [], nextAt: now + 30_000 });
    expect((await due(now + 30_000)).ids).toEqual([row.id]);
    await carryOut(rig.store, await storedProcess(rig.store, row.id), { to: 'killed' }, { now });
    expect(await due(now + 30_000)).toEqual({ ids: [], nextAt: undefined });
    expect(await rig.store.selectFrom('monitors').select('due_at').execute()).toEqual([{ due_at: null }]);
  });
});
