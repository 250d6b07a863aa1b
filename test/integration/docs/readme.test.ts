import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { quote } from '../../../src/plugin/shell.js';
import { type Cluster, startCluster } from '../../rigs/cluster.js';
import { execute } from '../../rigs/command.js';
import { until } from '../../rigs/until.js';

/** The code blocks of a page, in order. */
async function codeBlocks(page: string): Promise<{ language: string; text: string }[]> {
  const text = await readFile(page, 'utf8');
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map((match) => ({
    language: match[1] ?? '',
    text: match[2] ?? '',
  }));
}

describe('the README, as a new user follows it', () => {
  let cluster: Cluster;
  let folder: string;
  let environment: Record<string, string>;

  beforeAll(async () => {
    cluster = await startCluster();
    folder = path.join(cluster.directory, 'user');
    const programs = path.join(cluster.directory, 'bin');
    await mkdir(folder);
    await mkdir(programs);
    const main = path.resolve('dist/src/cli/main.js');
    await writeFile(path.join(programs, 'wherry'), `#!/bin/sh\nexec ${quote(process.execPath)} ${quote(main)} "$@"\n`);
    await chmod(path.join(programs, 'wherry'), 0o755);
    environment = {
      PATH: `${programs}:${process.env.PATH}`,
      WHERRY_HOME: path.join(cluster.directory, 'new-home'),
      NO_COLOR: '1',
    };
  });
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  /** Runs lines as a shell would; fails with what they printed. */
  async function shell(lines: string): Promise<string> {
    const result = await execute(['sh', '-ec', lines], { directory: folder, environment, timeout: 60_000 });
    if (result.exitCode !== 0) throw new Error(`${lines}\n${result.stdout}${result.stderr}`);
    return result.stdout;
  }

  it('adds the cluster, tests it, and has the results of the first job', async () => {
    const blocks = await codeBlocks('README.md');
    const addition = blocks.find(({ text }) => text.startsWith('wherry computer add'))?.text ?? '';
    const job = blocks.find(({ language, text }) => language === 'yaml' && text.startsWith('computer:'))?.text ?? '';
    const session = blocks.find(({ text }) => text.startsWith('wherry submit job.yaml'))?.text ?? '';
    const settings = Object.entries(cluster.sshd.connection).map(
      ([key, value]) => `--connection ${quote(`${key}=${value}`)}`,
    );
    const added = await shell(addition.replace('--host daint.example.org', settings.join(' ')));
    expect(added).not.toMatch(/fail/i);

    await writeFile(path.join(folder, 'job.yaml'), job);
    await writeFile(path.join(folder, 'numbers.txt'), '1\n2\n3\n');
    const [submit = '', tick = '', ...looks] = session.trim().split('\n');
    expect((await shell(submit)).trim()).toBe('1');
    await until(
      async () => {
        await shell(tick);
        const [row] = JSON.parse(await shell('wherry ps --all --json')) as { state: string }[];
        return row?.state === 'finished';
      },
      { what: 'the job to be finished by ticks', timeout: 90_000, interval: 500 },
    );
    const printed = await shell(looks.join('\n'));
    expect(printed).toContain('count.txt');
    expect(await readFile(path.join(folder, 'first', 'count.txt'), 'utf8')).toBe('3\n');
  });
});
