import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ComputerRow, ProcessRow } from '../../../src/store/tables.js';
import { type Cluster, startCluster } from '../../rigs/cluster.js';
import { type SlowCommands, slowCommands } from '../../rigs/slow-commands.js';
import { startProxy, type TcpProxy } from '../../rigs/tcp-proxy.js';
import { until } from '../../rigs/until.js';

describe('the connection is cut during a verb', () => {
  let cluster: Cluster;
  let proxy: TcpProxy;
  let computer: ComputerRow;
  let slow: SlowCommands;

  beforeAll(async () => {
    const commands = await mkdtemp(path.join(tmpdir(), 'wherry-slow-'));
    const searchPath = '/usr/local/bin:/usr/bin:/bin';
    slow = await slowCommands(commands, ['sbatch', 'squeue'], searchPath);
    cluster = await startCluster({ sshd: { environment: { PATH: `${slow.directory}:${searchPath}` } } });
    proxy = await startProxy({ target: cluster.sshd.port });
    computer = await cluster.addCluster('far', { port: proxy.port });
  });
  afterAll(async () => {
    await proxy?.stop();
    await cluster?.[Symbol.asyncDispose]();
    if (slow !== undefined) await rm(path.dirname(slow.directory), { recursive: true, force: true });
  });

  /** Exactly one job of this process is known to accounting. */
  async function expectOneJob(row: ProcessRow): Promise<void> {
    const submissions = await cluster.profile.store
      .selectFrom('submissions')
      .selectAll()
      .where('process_id', '=', row.id)
      .execute();
    expect(submissions.map(({ outcome }) => outcome)).toEqual(['accepted']);
    // Accounting learns of a job a moment after the queue.
    await until(async () => (await jobNames()).some((name) => name.startsWith(`wherry-${row.id}-`)), {
      what: 'accounting',
    });
    expect((await jobNames()).filter((name) => name.startsWith(`wherry-${row.id}-`))).toHaveLength(1);
  }

  async function jobNames(): Promise<string[]> {
    const { stdout } = await cluster.slurm.run(['sacct', '-a', '-X', '-n', '-P', '-o', 'JobName']);
    return stdout.split('\n');
  }

  it('upload', async () => {
    const source = path.join(cluster.directory, 'big');
    const content = randomBytes(24 * 2 ** 20);
    await writeFile(source, content);
    const row = await cluster.submit(computer, { command: ['sha256sum', 'big'] }, [
      { path: 'big', source, mode: 0o644 },
    ]);
    proxy.cutAfter(8 * 2 ** 20, 'up');
    const connections = proxy.connections();
    const [ended] = await cluster.drive([row]);
    expect(ended).toMatchObject({ state: 'finished', exit_status: 0 });
    expect(await cluster.output(row.id, 'stdout.txt')).toContain(createHash('sha256').update(content).digest('hex'));
    expect(proxy.connections() - connections).toBeGreaterThanOrEqual(2);
    await expectOneJob(row);
  });

  it('submit: the reply is lost, the job is not submitted again', async () => {
    await slow.hold('sbatch');
    const row = await cluster.submit(computer, { command: ['echo', 'once'] });
    const cut = until(() => slow.held('sbatch'), { what: 'sbatch to be done', timeout: 30_000 }).then(async () => {
      await slow.release('sbatch');
      proxy.cut();
    });
    const [[ended]] = await Promise.all([cluster.drive([row]), cut]);
    expect(ended).toMatchObject({ state: 'finished', exit_status: 0 });
    expect(await cluster.eventTypes(row.id)).toContain('job.submission-unknown');
    await expectOneJob(row);
  });

  it('update', async () => {
    const row = await cluster.submit(computer, { command: ['sleep', '2'] });
    await slow.hold('squeue');
    const cut = until(() => slow.held('squeue'), { what: 'squeue to be done', timeout: 30_000 }).then(async () => {
      await slow.release('squeue');
      proxy.cut();
    });
    const [[ended]] = await Promise.all([cluster.drive([row]), cut]);
    expect(ended).toMatchObject({ state: 'finished', exit_status: 0 });
    await expectOneJob(row);
  });

  it('retrieve', async () => {
    const size = 24 * 2 ** 20;
    const row = await cluster.submit(computer, {
      command: ['sh', '-c', `head -c ${size} /dev/urandom > result && sha256sum result`],
      retrieve: ['result'],
    });
    const cut = until(async () => (await cluster.row(row.id)).stage === 'retrieve', {
      what: 'retrieve',
      timeout: 30_000,
    });
    const [[ended]] = await Promise.all([cluster.drive([row]), cut.then(() => proxy.cutAfter(8 * 2 ** 20, 'down'))]);
    expect(ended).toMatchObject({ state: 'finished', exit_status: 0 });
    const [hash] = (await cluster.output(row.id, 'stdout.txt')).split(' ');
    const file = await cluster.profile.store
      .selectFrom('files')
      .selectAll()
      .where('process_id', '=', row.id)
      .where('path', '=', 'result')
      .executeTakeFirstOrThrow();
    expect(file).toMatchObject({ sha256: hash, size });
    await expectOneJob(row);
  });

  it('uses up no attempt', async () => {
    const rows = await cluster.profile.store.selectFrom('processes').select(['attempts', 'paused']).execute();
    expect(new Set(rows.map((row) => JSON.stringify(row)))).toEqual(new Set(['{"attempts":0,"paused":0}']));
  });
});
