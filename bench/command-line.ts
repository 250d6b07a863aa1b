import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { executeOrFail } from '../test/rigs/command.js';
import { startProfile, type TestProfile } from '../test/rigs/profile.js';
import { interleaved, type Measurement, ratios, seconds } from './measurement.js';

const processes = 10_000;
const rounds = 15;
const program = 'dist/src/cli/main.js';

/** What waiting for the prompt costs. */
export const commandLine: Measurement = {
  name: 'command-line',
  title: 'the command line',
  async run() {
    if (!existsSync(program)) throw new Error(`there is no ${program}; run: npm run build`);
    await using rig = await startProfile();
    await fill(rig);
    const environment = { WHERRY_HOME: `${rig.directory}/home`, NO_COLOR: '1' };
    const node = (...words: string[]) => seconds(() => executeOrFail([process.execPath, ...words], { environment }));
    const listed = await executeOrFail([process.execPath, program, 'ps', '--all'], { environment });
    const lines = listed.trimEnd().split('\n').length;
    if (lines < processes) throw new Error(`ps shows ${lines} lines`);
    const times = await interleaved(rounds, {
      nothing: () => node('-e', '0'),
      version: () => node(program, '--version'),
      list: () => node(program, 'ps', '--all'),
      json: () => node(program, 'ps', '--all', '--json'),
    });
    return {
      setUp: [
        'each run is a process of its own, as a shell starts it, its output read to the end',
        `the store has ${processes} processes: nine in ten ended, one in ten waits for the scheduler`,
        `${rounds} interleaved runs`,
      ],
      figures: [
        { label: '`node -e 0`', unit: 's', samples: times.nothing },
        { label: '`wherry --version`', unit: 's', samples: times.version },
        {
          label: '`wherry --version` against `node -e 0`',
          unit: 'x',
          samples: ratios(times.version, times.nothing),
          goal: { kind: 'at most', value: 3 },
        },
        {
          label: `\`wherry ps --all\` of ${processes}`,
          unit: 's',
          samples: times.list,
          goal: { kind: 'at most', value: 0.5 },
        },
        { label: `\`wherry ps --all --json\` of ${processes}`, unit: 's', samples: times.json },
      ],
    };
  },
};

/** Rows as a year of work leaves them, put in without being worked through. */
async function fill({ profile: { store } }: TestProfile): Promise<void> {
  const { id: computer } = await store.selectFrom('computers').select('id').executeTakeFirstOrThrow();
  const now = Date.now();
  const row = (index: number) => {
    const waits = index % 10 === 0;
    const at = now - (processes - index) * 60_000;
    return {
      uuid: randomUUID(),
      kind: 'calcjob',
      name: 'shell',
      label: `silicon ${index}`,
      description: '',
      state: waits ? 'waiting' : 'finished',
      stage: waits ? 'update' : null,
      stage_since: at,
      exit_status: waits ? null : 0,
      computer_id: computer,
      inputs: JSON.stringify({ command: ['pw.x', '-in', 'pw.in'], environment: { OMP_NUM_THREADS: '1' } }),
      outputs: waits ? null : JSON.stringify({ exitCode: 0, signal: null, missing: [] }),
      remote_directory: `/scratch/me/wherry/aa/bb/${index}`,
      job_id: String(1_000_000 + index),
      scheduler_state: waits ? 'queued' : 'done',
      waiting_for: waits ? 'the scheduler: queued (Priority)' : null,
      waiting_since: waits ? at : null,
      due_at: waits ? now : null,
      created_at: at,
      updated_at: at,
      ended_at: waits ? null : at + 30_000,
    };
  };
  await store.transaction().execute(async (transaction) => {
    for (let start = 0; start < processes; start += 500) {
      const rows = Array.from({ length: 500 }, (_, index) => row(start + index));
      await transaction.insertInto('processes').values(rows).execute();
    }
  });
}
