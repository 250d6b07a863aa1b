import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandLine, startCommandLine } from '../../rigs/command-line.js';

let wherry: CommandLine;
beforeAll(async () => {
  wherry = await startCommandLine();
  await wherry.write('good.yaml', 'computer: localhost\ncommand: ["true"]\n');
});
afterAll(() => wherry[Symbol.asyncDispose]());

/** What a job file says, and what must be said about it. */
const jobFiles: Readonly<Record<string, readonly [string, string]>> = {
  'an unknown key': [
    'computer: localhost\ncomand: [x]\n',
    'job.yaml:2:1 unknown key "comand" (did you mean "command"?)',
  ],
  'a missing input file': [
    'computer: localhost\ncommand: [x]\nfiles: { a: ./missing }\n',
    'job.yaml:3:13 files.a: no such file or folder: "./missing"',
  ],
  'an unknown computer': [
    'computer: lokalhost\ncommand: [x]\n',
    'job.yaml:1:11 computer: there is no computer "lokalhost"',
  ],
  'resources that the scheduler cannot express': [
    'computer: localhost\ncommand: [x]\nresources: { gpusPerNode: 2 }\n',
    'job.yaml:3:27 resources.gpusPerNode: direct does not manage GPUs',
  ],
  'settings that the scheduler cannot express': [
    'computer: localhost\ncommand: [x]\nqueue: long\n',
    'job.yaml:3:1 queue: the scheduler direct cannot express queue',
  ],
  'a negative number': [
    'computer: localhost\ncommand: [x]\nresources: { tasksPerNode: -1 }\n',
    'job.yaml:3:28 resources.tasksPerNode: must be at least 1',
  ],
  'an absurd number': [
    'computer: localhost\ncommand: [x]\nresources: { cpusPerTask: 1000000000000 }\n',
    'job.yaml:3:27 resources.cpusPerTask: must be at most 100000',
  ],
  'an absurd walltime': [
    'computer: localhost\ncommand: [x]\nresources: { walltime: 100000d }\n',
    'job.yaml:3:24 resources.walltime: must be between',
  ],
  'a name with NUL': ['computer: localhost\ncommand: [x, "a\\0b"]\n', 'job.yaml:2:14 command[1]: a NUL character'],
  'text that is no YAML': ['computer: [localhost\n', 'job.yaml:2:1'],
  'a path that leads out': [
    'computer: localhost\ncommand: [x]\nretrieve: [../x]\n',
    'job.yaml:3:12 retrieve[0]: must be a relative path',
  ],
};

describe('bad input ends with 2, says where, and stores nothing', () => {
  for (const [what, [text, message]] of Object.entries(jobFiles)) {
    it(what, async () => {
      await wherry.write('job.yaml', text);
      const outcome = await wherry.run(['submit', 'good.yaml', 'job.yaml']);
      expect(outcome.stderr).toContain(message);
      expect(outcome).toMatchObject({ exitCode: 2, text: '' });
      expect(await wherry.count()).toEqual({ processes: 0, computers: 1 });
    });
  }

  const commandLines: Readonly<Record<string, readonly [readonly string[], string]>> = {
    'a missing input file': [['submit', '--file', 'a=./missing', '--', 'x'], 'no such file or folder: "./missing"'],
    'an unknown computer': [['submit', '--computer', 'nowhere', '--', 'x'], 'there is no computer "nowhere"'],
    'no number': [
      ['submit', '--cpus-per-task', 'two', '--', 'x'],
      'resources.cpusPerTask: must be a number, not "two"',
    ],
    'a negative number': [['submit', '--cpus-per-task=-2', '--', 'x'], 'resources.cpusPerTask: must be at least 1'],
    'an environment without value': [['submit', '--environment', 'A', '--', 'x'], '--environment "A" has no "="'],
    'nothing to run': [['submit'], 'neither a job file nor a command is given'],
    'both ways at once': [['submit', 'good.yaml', '--', 'x'], 'a job file and a command are given'],
    'an option beside a file': [['submit', 'good.yaml', '--nodes', '2'], '--nodes cannot be given with a job file'],
    'an option given twice': [['submit', '--label', 'a', '--label', 'b', '--', 'x'], 'given twice'],
    'an option without its value': [['submit', '--label', '-x', '--', 'x'], 'the option --label lacks its value'],
    'an unknown option': [
      ['submit', '--lable', 'a', '--', 'x'],
      'there is no option "--lable" (did you mean "label"?)',
    ],
    'an unknown command': [['sumbit'], 'there is no command "sumbit" (did you mean "submit"?)'],
    'an unknown command of a group': [['computer', 'lst'], 'there is no command "computer lst" (did you mean "list"?)'],
    'an id that is none': [['show', 'x!'], '"x!" is no id of a process'],
    'a missing argument': [['show'], 'missing: <ids..>'],
    'an argument too many': [['status', 'now'], 'one argument too many: "now"'],
    'the work directory /': [
      ['computer', 'add', 'bad', '--transport', 'local', '--scheduler', 'direct', '--work-directory', '/'],
      'workDirectory: must be an absolute directory of your own',
    ],
    'an unknown limit': [['computer', 'edit', 'localhost', '--limit', 'maxQueud=3'], 'did you mean "maxQueued"?'],
    'a transport that does not exist': [
      ['computer', 'add', 'bad', '--transport', 'locale', '--scheduler', 'direct', '--work-directory', '/x/y'],
      'there is no transport "locale"',
    ],
  };
  for (const [what, [words, message]] of Object.entries(commandLines)) {
    it(what, async () => {
      const outcome = await wherry.run(words);
      expect(outcome.stderr).toContain(message);
      expect(outcome).toMatchObject({ exitCode: 2, text: '' });
      expect(await wherry.count()).toEqual({ processes: 0, computers: 1 });
    });
  }

  it('names line and column of a computer file', async () => {
    await wherry.write('computer.yaml', 'label: bad\ntransport: local\nscheduler: direct\nworkDirectory: /\n');
    const outcome = await wherry.run(['computer', 'add', '--file', 'computer.yaml']);
    expect(outcome.exitCode).toBe(2);
    expect(outcome.stderr).toContain('computer.yaml:4:16 workDirectory: must be an absolute directory');
    await wherry.write('computer.yaml', 'label: bad\ntransport: local\nscheduler: slrm\nworkDirectory: /x/y\n');
    const missing = await wherry.run(['computer', 'add', '--file', 'computer.yaml']);
    expect(missing.exitCode).toBe(2);
    expect(missing.stderr).toContain(
      'computer.yaml:3:12 scheduler: there is no scheduler "slrm" (did you mean "slurm"?)',
    );
  });
});

describe('the home', () => {
  it('may not be a file', async () => {
    const file = path.join(wherry.folder, 'a-file');
    await writeFile(file, '');
    const outcome = await wherry.run(['ps', '--home', file]);
    expect(outcome).toMatchObject({ exitCode: 2, text: '' });
    expect(outcome.stderr).toContain(`${file} is a file, but Wherry needs a directory there`);
  });

  it('may be made by several first commands at once', async () => {
    const environment = { WHERRY_HOME: path.join(wherry.folder, 'new-home') };
    const words = ['submit', '--computer', 'localhost', '--', 'true'];
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => wherry.run(words, { environment })));
    expect(outcomes.map(({ stderr }) => stderr)).toEqual(Array(6).fill(''));
    expect(outcomes.map(({ text }) => Number(text)).sort()).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('is WHERRY_HOME unless --home is given, before or behind the command', async () => {
    const other = path.join(wherry.folder, 'other-home');
    const status = async (...words: string[]) => JSON.parse(await wherry.succeed(words)) as { home: string };
    expect((await status('status', '--json')).home).toBe(wherry.home);
    expect((await status('status', '--json', '--home', other)).home).toBe(other);
    expect((await status('--home', other, 'status', '--json')).home).toBe(other);
    const environment = { WHERRY_HOME: other };
    expect(JSON.parse(await wherry.succeed(['status', '--json'], { environment }))).toMatchObject({ home: other });
  });
});
