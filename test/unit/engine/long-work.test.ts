import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.js';
import { requestKill } from '../../../src/engine/intents.js';
import type { ComputerRow } from '../../../src/store/tables.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';
import { until } from '../../rigs/until.js';
import { FakeTransport, pluginFiles } from './fake-computer.js';

let rig: TestProfile;
let transport: FakeTransport;
let computer: ComputerRow;
/** Ends each of the scripts that gather files. */
let gathering: (() => void)[];

beforeEach(async () => {
  rig = await startProfile();
  transport = new FakeTransport();
  const limits = { minPollInterval: 0.02, maxChannels: 4 };
  const plugins = await pluginFiles(rig.directory, transport);
  computer = await rig.addComputer({ label: 'fake', ...plugins, workDirectory: '/w', limits });
  gathering = [];
  transport.cluster.intercept = async (script) => {
    if (script.startsWith('fake-list')) transport.cluster.finishAll();
    if (!script.includes('growth=')) return undefined;
    await new Promise<void>((resolve) => gathering.push(resolve));
    return { stdout: '', stderr: '', exitCode: 0, signal: null, durationMs: 1 };
  };
});
afterEach(() => rig[Symbol.asyncDispose]());

const copying = () => rig.submit(computer, { command: ['true'], remoteCopy: [{ from: '/shared/x' }] });

describe('work that takes the computer long', () => {
  it('leaves half of the channels to all others, and may be killed at once', async () => {
    const long = [await copying(), await copying(), await copying()];
    const stop = new AbortController();
    await using engine = new Engine(rig.profile);
    const driven = engine.drive({ signal: stop.signal, until: () => false });
    const ended = (id: number) =>
      until(async () => (await rig.row(id)).ended_at !== null, { what: 'an end', interval: 5 });
    await until(() => gathering.length === 2, { what: 'the first two', interval: 5 });
    const short = await rig.submit(computer, { command: ['true'] });
    await ended(short.id);
    expect(gathering).toHaveLength(2);
    expect(await rig.row(long[2]?.id ?? 0)).toMatchObject({ state: 'waiting', stage: 'gather' });
    const [first] = await Promise.all(long.slice(0, 1).map(({ id }) => rig.row(id)));
    if (first === undefined) throw new Error('there is no first');
    await requestKill(rig.profile.store, first, 'enough');
    await until(async () => (await rig.row(first.id)).kill_requested_at !== null, { what: 'the wish', interval: 5 });
    gathering[0]?.();
    await ended(first.id);
    expect(await rig.row(first.id)).toMatchObject({ state: 'killed', job_id: null });
    await until(() => gathering.length === 3, { what: 'the third', interval: 5 });
    for (const end of gathering) end();
    for (const { id } of long.slice(1)) {
      await ended(id);
      expect(await rig.row(id)).toMatchObject({ state: 'finished', exit_status: 0 });
    }
    stop.abort();
    await driven;
  });
});
