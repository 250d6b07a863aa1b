import { describe, expect, it } from 'vitest';
import { readComputerText } from '../../../src/config/computer-file.js';
import { readCheckedDocument } from '../../../src/config/document.js';
import { jobSchema } from '../../../src/config/job.js';
import { loadScheduler } from '../../../src/config/plugins.js';
import { checkComputer, checkJob } from '../../../src/config/resolve-computer.js';

const computer = (more: string) =>
  readComputerText(`label: c\nworkDirectory: /w\nscheduler: direct\n${more}\n`, 'c.yaml');

describe('checkComputer', () => {
  it('loads the plugins and gives what their schemas made', async () => {
    const { config, origin } = computer('transport: local');
    const checked = await checkComputer(config, origin);
    expect([checked.transport.name, checked.scheduler.name]).toEqual(['local', 'direct']);
  });

  it('tells what both plugins refuse, with places', async () => {
    const { config, origin } = computer(
      'transport: ssh\nschedulerOptions: { zzz: 1 }\nconnection: { hots: x, port: 70000 }',
    );
    const message = await checkComputer(config, origin).catch((error: Error) => error.message);
    expect(message).toContain('c.yaml:6:13 connection.host: is missing');
    expect(message).toContain('c.yaml:6:30 connection.port: must be at most 65535');
    expect(message).toContain('c.yaml:6:15 connection: unknown key "hots" (did you mean "host"?)');
    expect(message).toContain('c.yaml:5:21 schedulerOptions: unknown key "zzz"');
  });

  it('tells which resources the scheduler cannot express, before any job asks for them', async () => {
    const { config, origin } = computer('transport: local\nresources: { walltime: 1h, memoryPerNode: 4GiB }');
    const message = await checkComputer(config, origin).catch((error: Error) => error.message);
    expect(message).toMatch(/^c\.yaml:5:43 resources\.memoryPerNode: direct cannot limit the memory of a whole job/);
  });

  it('gives paths without a file too', async () => {
    const { config } = computer('transport: ssh\nconnection: { host: "-x" }');
    await expect(checkComputer(config)).rejects.toMatchObject({
      code: 'bad-input',
      issues: [{ path: 'connection.host' }],
    });
  });

  it.each(['transport: telnet', 'transport: sssh'])('misses %s', async (line) => {
    await expect(checkComputer(computer(line).config)).rejects.toMatchObject({ code: 'plugin-missing' });
  });
});

describe('checkJob', () => {
  const check = async (name: string, text: string) => {
    const { value, origin } = readCheckedDocument(`command: [a]\n${text}`, { source: 'job.yaml', schema: jobSchema });
    return checkJob(value, await loadScheduler(name), origin);
  };

  it('gives the resources', async () => {
    expect(await check('direct', 'resources: { walltime: 1h }')).toMatchObject({ walltime: 3600 });
    expect(await check('slurm', 'resources: { memoryPerNode: 1GiB }\nqueue: normal\nqos: high')).toMatchObject({
      memoryPerNode: 2 ** 30,
    });
  });

  it('tells what the scheduler cannot express', async () => {
    const text = 'resources: { memoryPerNode: 1GiB }\nqos: high\naccount: a\nheaderLines: ["#X"]';
    const message = await check('direct', text).catch((error: Error) => error.message);
    expect(message).toContain('job.yaml:2:29 resources.memoryPerNode: ');
    expect(message).toContain('job.yaml:3:1 qos: the scheduler direct cannot express qos');
    expect(message).toContain('job.yaml:4:1 account: the scheduler direct cannot express account');
    expect(message).toContain('job.yaml:5:1 headerLines: the scheduler direct cannot express headerLines');
  });

  it('tells of resources that a strict schema does not know', async () => {
    const direct = await loadScheduler('direct');
    const { z } = await import('zod');
    const scheduler = { ...direct, name: 'tiny', resources: z.strictObject({ walltime: z.number().optional() }) };
    const job = jobSchema.parse({ command: ['a'], resources: { nodes: 2 } });
    expect(() => checkJob(job, scheduler)).toThrow(
      'resources: the scheduler tiny cannot express nodes (allowed: walltime)',
    );
  });
});
