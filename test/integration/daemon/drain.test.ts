import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { computerSchema } from '../../../src/config/computer.js';
import { addComputer } from '../../../src/engine/computers.js';
import { openProfile } from '../../../src/engine/profile.js';
import { type Cluster, startCluster } from '../../rigs/cluster.js';
import { type SlowCommands, slowCommands } from '../../rigs/slow-commands.js';
import { until } from '../../rigs/until.js';
import { type DaemonRig, pidOf, startDaemonRig } from './rig.js';

let cluster: Cluster;
let slow: SlowCommands;
let rig: DaemonRig;

beforeAll(async () => {
  const searchPath = '/usr/local/bin:/usr/bin:/bin';
  slow = await slowCommands(await mkdtemp(path.join(tmpdir(), 'wherry-slow-')), ['sbatch'], searchPath);
  cluster = await startCluster({ sshd: { environment: { PATH: `${slow.directory}:${searchPath}` } } });
});
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  if (slow !== undefined) await rm(path.dirname(slow.directory), { recursive: true, force: true });
});
beforeEach(async () => {
  rig = await startDaemonRig();
  await using profile = await openProfile({ home: rig.wherry.home });
  await addComputer(profile.store, computerSchema.parse(JSON.parse(cluster.computer.config)));
});
afterEach(async () => {
  await slow.release('sbatch');
  await rig[Symbol.asyncDispose]();
});

const job = ['--computer', 'cluster', '--label', 'slow', '--', 'sh', '-c', 'echo ran >> runs; cat runs'];

/** Resolves when Slurm has a job whose submission has not been answered yet. */
async function inTheMiddle(): Promise<void> {
  await until(() => slow.held('sbatch'), { what: 'sbatch to be done', timeout: 60_000 });
}

async function submissions() {
  await using profile = await openProfile({ home: rig.wherry.home });
  const { store } = profile;
  const rows = await store.selectFrom('submissions').select(['outcome', 'job_name', 'job_id']).execute();
  const unknown = await store.selectFrom('events').select('id').where('type', '=', 'job.submission-unknown').execute();
  return { rows, unknown: unknown.length };
}

/** The process ends well, and Slurm's own records have one job of it. */
async function endsAfterOneRun(): Promise<void> {
  const { wherry } = rig;
  await wherry.succeed(['wait', '1', '--timeout', '90s']);
  expect(await wherry.succeed(['files', 'cat', '1', 'stdout.txt'])).toBe('ran\n');
  const names = (await submissions()).rows.map(({ job_name }) => job_name);
  expect(names).toHaveLength(1);
  const records = async () => {
    const { stdout } = await cluster.slurm.run(['sacct', '-a', '-X', '-n', '-P', '-o', 'JobName']);
    return stdout.split('\n').filter((name) => names.includes(name));
  };
  await until(async () => (await records()).length > 0, { what: 'accounting' });
  expect(await records()).toHaveLength(1);
}

describe('in the middle of a submission', () => {
  it('daemon stop waits for its end, so that nothing about it is unknown', async () => {
    const { wherry } = rig;
    await slow.hold('sbatch');
    await wherry.succeed(['daemon', 'start']);
    await wherry.succeed(['submit', ...job]);
    await inTheMiddle();
    const stopped = await wherry.run(['daemon', 'stop']);
    expect(stopped).toMatchObject({ exitCode: 0, text: 'daemon stopped\n', stderr: '' });
    expect(await submissions()).toMatchObject({ rows: [{ outcome: 'accepted' }], unknown: 0 });
    await slow.release('sbatch');
    await wherry.succeed(['daemon', 'start']);
    await endsAfterOneRun();
  });

  it('a worker that gets SIGTERM does so too', async () => {
    const { wherry } = rig;
    await slow.hold('sbatch');
    await wherry.succeed(['daemon', 'start']);
    const [worker] = await rig.ready(1);
    await wherry.succeed(['submit', ...job]);
    await inTheMiddle();
    process.kill(pidOf(worker), 'SIGTERM');
    await rig.ended(pidOf(worker));
    expect(await submissions()).toMatchObject({ rows: [{ outcome: 'accepted' }], unknown: 0 });
    await slow.release('sbatch');
    await endsAfterOneRun();
  });

  it('so does run at the first Ctrl-C, and says so', async () => {
    const { wherry } = rig;
    await slow.hold('sbatch');
    let interrupt: (signal: NodeJS.Signals) => void = () => undefined;
    const running = wherry.run(['run', ...job], {
      onStderr: (_, kill) => {
        interrupt = kill;
      },
    });
    await inTheMiddle();
    interrupt('SIGINT');
    const outcome = await running;
    expect(outcome.exitCode).toBe(1);
    expect(outcome.stderr).toContain('finishing the steps in progress');
    expect(await submissions()).toMatchObject({ rows: [{ outcome: 'accepted' }], unknown: 0 });
    await slow.release('sbatch');
    await wherry.succeed(['daemon', 'start']);
    await endsAfterOneRun();
  });

  it('a stop that has no time for it leaves one job all the same', async () => {
    const { wherry } = rig;
    await slow.hold('sbatch');
    await wherry.succeed(['daemon', 'start']);
    await wherry.succeed(['submit', ...job]);
    await inTheMiddle();
    expect((await wherry.run(['daemon', 'stop', '--timeout', '200ms'])).exitCode).toBe(0);
    expect((await submissions()).rows).toMatchObject([{ outcome: 'intended' }]);
    await slow.release('sbatch');
    await wherry.succeed(['daemon', 'start']);
    await endsAfterOneRun();
  });
});
