import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AnyCommand } from '../../../src/cli/command.js';
import { commandTable } from '../../../src/cli/command-table.js';
import { command as submit } from '../../../src/cli/commands/submit.js';
import { type JobArguments, readJobs } from '../../../src/cli/job-arguments.js';
import { parseArguments } from '../../../src/cli/parse-arguments.js';
import { jobSchema } from '../../../src/config/job.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'wherry-arguments-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** What `wherry submit …` would store. */
async function jobsOf(...words: string[]) {
  const entry = commandTable.find(({ path: [first] }) => first === 'submit');
  if (entry === undefined) throw new Error('there is no submit');
  const parsed = await parseArguments(entry, submit as AnyCommand, words);
  if ('help' in parsed) throw new Error(parsed.help);
  return readJobs(parsed.given as JobArguments, parsed.command);
}

describe('a job from options', () => {
  it('is what a job file would give', async () => {
    const file = path.join(folder, 'in.txt');
    await writeFile(file, 'x');
    const [request] = await jobsOf(
      ...['--computer', 'daint', '--label', 'silicon', `--file=pw in=${file}`, '--file', file],
      ...[
        '--retrieve',
        'pw.out',
        '--retrieve',
        'out/**',
        '--nodes',
        '2',
        '--tasks-per-node',
        '64',
        '--gpus-per-node=4',
      ],
      ...['--memory-per-node', '64GiB', '--walltime', '1h30m', '--queue', 'normal', '--account', 's1', '--qos', 'high'],
      ...[
        '--constraint',
        'gpu&big',
        '--header-line',
        '#SBATCH --exclusive',
        '--environment',
        'A=b=c',
        '--environment',
        'E=',
      ],
      ...['--stdin', 'in.txt', '--stdout', 'o', '--stderr', 'e', '--prepend', 'module load x', '--append', 'true'],
      ...['--priority=-5', '--mpi', '--', 'pw.x', '--nodes', '-in', '--', 'pw in'],
    );
    expect(request?.job).toEqual(
      jobSchema.parse({
        computer: 'daint',
        label: 'silicon',
        command: ['pw.x', '--nodes', '-in', '--', 'pw in'],
        files: { 'pw in': file, 'in.txt': file },
        retrieve: ['pw.out', 'out/**'],
        resources: { nodes: 2, tasksPerNode: 64, gpusPerNode: 4, memoryPerNode: '64GiB', walltime: '1h30m' },
        queue: 'normal',
        account: 's1',
        qos: 'high',
        constraint: 'gpu&big',
        headerLines: ['#SBATCH --exclusive'],
        environment: { A: 'b=c', E: '' },
        stdin: 'in.txt',
        stdout: 'o',
        stderr: 'e',
        mpi: true,
        prepend: 'module load x',
        append: 'true',
        priority: -5,
      }),
    );
    expect(request?.files.map((sent) => sent.path)).toEqual(['in.txt', 'pw in']);
  });

  it('may name a code, and say how the scheduler is to treat it', async () => {
    const [request] = await jobsOf(
      ...['--code', 'pw@daint', '--mpirun-extra=--bind-to core', '--hold', '--rerunnable=false'],
      ...[
        '--exclusive',
        '--begin-time',
        '2027-01-31T22:30:00+02:00',
        '--mail-to',
        'me@example.org',
        '--mail-on=begin,end',
      ],
      ...[
        '--environment',
        'P=/x:$PATH',
        '--environment-double-quotes',
        '--import-environment=false',
        '--',
        '-in',
        'pw.in',
      ],
    );
    expect(request?.job).toEqual(
      jobSchema.parse({
        ...{ code: 'pw@daint', arguments: ['-in', 'pw.in'], mpirunExtra: ['--bind-to', 'core'] },
        ...{ hold: true, rerunnable: false, exclusive: true, beginTime: '2027-01-31T20:30:00Z' },
        mail: { to: 'me@example.org', onBegin: true, onEnd: true },
        environment: { P: '/x:$PATH' },
        ...{ environmentDoubleQuotes: true, importEnvironment: false },
      }),
    );
    const [told] = await jobsOf('--mail-to', 'me', '--', 'x');
    expect(told?.job.mail).toEqual({ to: 'me', onBegin: false, onEnd: true, onFail: true });
  });

  it('leaves texts that look like numbers alone', async () => {
    const [request] = await jobsOf('--label', '007', '--environment', 'N=1e3', '--', 'echo', '0x10', '1.50');
    expect(request?.job).toMatchObject({ label: '007', environment: { N: '1e3' }, command: ['echo', '0x10', '1.50'] });
  });

  it.each([
    [['--environment', 'A=1', '--environment', 'A=2', '--', 'x'], '--environment gives "A" twice'],
    [['--environment', '=1', '--', 'x'], '--environment "=1" has no "="'],
    [['--nodes', '1.5', '--', 'x'], 'resources.nodes'],
    [['--walltime', 'soon', '--', 'x'], '"soon" is no duration'],
    [['--memory-per-node', '1', '--', 'x'], 'must be between 1MiB'],
    [['--stdout', '/etc/passwd', '--', 'x'], 'stdout: must be a relative path'],
    [['--label', 'a\0b', '--', 'x'], 'NUL'],
    [['--mail-on', 'start', '--', 'x'], '--mail-on start is no occasion'],
    [['--mail-on', 'end', '--', 'x'], 'mail.to: is missing'],
    [['--begin-time', 'tomorrow', '--', 'x'], 'beginTime: must be a time such as'],
  ])('refuses %j', async (words, message) => {
    await expect(jobsOf(...words)).rejects.toThrow(message);
  });
});

describe('a job from a file', () => {
  it('may get another computer and label', async () => {
    const file = path.join(folder, 'job.yaml');
    await writeFile(file, 'computer: daint\nlabel: one\ncommand: [x]\n');
    const [request] = await jobsOf(file, '--computer', 'eiger');
    expect(request?.job).toMatchObject({ computer: 'eiger', label: 'one' });
  });

  it('tells what is wrong with all files at once', async () => {
    const [one, two] = [path.join(folder, 'one.yaml'), path.join(folder, 'two.yaml')];
    await writeFile(one, 'comand: [x]\n');
    await writeFile(two, 'command: []\n');
    const error = await jobsOf(one, two).catch((thrown: unknown) => thrown);
    expect(String(error)).toContain('one.yaml:1:1 unknown key "comand"');
    expect(String(error)).toContain('two.yaml:1:10 command: names no program');
  });
});
