import { describe, expect, it } from 'vitest';
import direct from '../../../schedulers/direct/index.js';
import pbspro from '../../../schedulers/pbspro/index.js';
import slurm from '../../../schedulers/slurm/index.js';
import { renderScript } from '../../../src/calcjob/script.js';
import { computerSchema } from '../../../src/config/computer.js';
import { jobSchema } from '../../../src/config/job.js';
import { type Command, commandLine } from '../../../src/plugin.js';
import {
  directDialect,
  type FaultRule,
  pbsProDialect,
  SimulatedCluster,
  simulatedTransport,
  slurmDialect,
} from '../../../testing/index.js';

const directory = '/scratch/job';
const pairs = [
  { plugin: slurm, dialect: slurmDialect },
  { plugin: pbspro, dialect: pbsProDialect },
  { plugin: direct, dialect: directDialect },
];

/** A cluster with one submitted job, and how to ask it. */
async function started({ plugin, dialect }: (typeof pairs)[number], faults: readonly FaultRule[] = []) {
  const cluster = new SimulatedCluster({ dialect, seed: 1, faults, longestWait: 0 });
  const { clock, files, queue } = cluster;
  const opening = simulatedTransport(cluster).open({}, { timeout: 60_000 });
  const connection = await clock.during(opening);
  const exec = ({ words, stdin = '' }: Command) =>
    clock.during(connection.exec(commandLine(words), { stdin, timeout: 60_000 }));
  files.makeDirectory(directory);
  const script = renderScript({
    job: jobSchema.parse({ command: ['simulate', '--seconds', '60', '--exit', '3', '--say', 'hello'] }),
    computer: computerSchema.parse({ label: 'c', transport: 't', scheduler: 's', workDirectory: '/scratch' }),
    scheduler: plugin,
    jobName: 'wherry-1-abc',
    directory,
  });
  const reply = cluster.submit({ name: 'wherry-1-abc' }, script);
  const outcome = plugin.parseSubmit({ ...reply, signal: null, durationMs: 1 });
  const id = outcome.kind === 'accepted' ? outcome.jobId : '';
  const context = { user: 'me', workDirectory: '/scratch', options: {} };
  const list = async () => [...plugin.parseList(await exec(plugin.list({ ...context, ids: [id] })))];
  const pass = (seconds: number) => clock.during(clock.sleep(clock.now() + seconds * 1000));
  return { cluster, connection, exec, id, context, list, pass, files, queue };
}

describe.each(pairs)('the simulated $dialect.name', (pair) => {
  const { plugin } = pair;

  it('answers the plugin in the words of the scheduler while a job runs and ends', async () => {
    const { list, pass, id, files, exec, context } = await started(pair);
    expect(await list()).toMatchObject([{ id, name: 'wherry-1-abc', state: 'running' }]);
    const found = plugin.parseFind(await exec(plugin.find({ ...context, name: 'wherry-1-abc', since: 0 })));
    expect(found).toMatchObject([{ id }]);
    await pass(61);
    expect(await list()).toMatchObject([{ id, state: 'failed' }]);
    expect(files.text(`${directory}/.wherry/exit`)).toBe('3\n');
    expect(files.text(`${directory}/stdout.txt`)).toBe('hello\n');
    expect(files.linkTarget(`${directory}/.wherry/claim`)).toBe(id);
  });

  it('cancels a job, and says of one that has ended what is no failure', async () => {
    const { list, id, exec, context } = await started(pair);
    const kill = async () => plugin.parseKill(await exec(plugin.kill({ ...context, ids: [id] })));
    await kill();
    expect(await list()).toMatchObject([{ id, state: 'cancelled' }]);
    await kill();
  });

  it('runs a job again that it requeued, and tells of a node that failed', async () => {
    const rules: FaultRule[] = [
      { on: 'job', occurrence: 1, fault: { kind: 'requeue', after: 10_000 } },
      { on: 'job', occurrence: 2, fault: { kind: 'node-failure', after: 10_000 } },
    ];
    const { list, pass, id, queue } = await started(pair, rules);
    await pass(60);
    expect(await list()).toMatchObject([{ id, state: 'node-failure' }]);
    expect(queue.jobs.get(id)?.runs).toBe(2);
  });

  it('gives no answer that the plugin would take for complete when it is cut off', async () => {
    const truncated: FaultRule = { on: 'list', fault: { kind: 'truncated', share: 0.7 } };
    const { list } = await started(pair, [truncated]);
    await expect(list()).rejects.toMatchObject({ code: 'scheduler-unavailable', transient: true });
  });

  it('does the same again for the same seed', async () => {
    const stories = [];
    for (let time = 0; time < 2; time++) {
      const { cluster, list, pass } = await started(pair, [
        { on: 'list', probability: 0.5, fault: { kind: 'slow', delay: 5_000 } },
      ]);
      for (let asked = 0; asked < 10; asked++) {
        await list();
        await pass(10);
      }
      stories.push(cluster.log.join('\n'));
    }
    expect(stories[1]).toBe(stories[0]);
    expect(stories[0]).toContain('slow');
  });
});
