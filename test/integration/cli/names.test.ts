import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProcessDetails } from '../../../src/engine/views.js';
import { type CommandLine, startCommandLine } from '../../rigs/command-line.js';

let wherry: CommandLine;
beforeAll(async () => {
  wherry = await startCommandLine();
});
afterAll(() => wherry[Symbol.asyncDispose]());

/** Names and values that a careless shell would take for something else. */
const awkward = [
  'with blank',
  "quote's",
  'double"quote',
  '$(touch executed)',
  '`touch executed`',
  'semi; touch executed',
  'line\nbreak',
  'ünïcödé 名前 🚢',
  '-n',
  '--help',
  '*',
  'back\\slash',
];

describe('awkward names', () => {
  it('work in files, arguments, environment and labels, and are never executed', async () => {
    await Promise.all(awkward.map((name) => wherry.write(path.join('in', name), `content of ${name}`)));
    const job = {
      computer: 'localhost',
      label: awkward.join(' '),
      command: ['sh', '-c', 'printf "%s\\0" "$@"; env -0 | grep -z ^AWKWARD > environment', 'sh', ...awkward],
      files: { 'in/': './in' },
      environment: Object.fromEntries(awkward.map((value, index) => [`AWKWARD_${index}`, value])),
      retrieve: ['in', 'environment'],
    };
    await wherry.write('job.json', JSON.stringify(job));
    const run = await wherry.run(['run', 'job.json']);
    expect(run).toMatchObject({ exitCode: 0 });
    const shown = `${run.text}${run.stderr}${await wherry.succeed(['ps'])}`;
    expect(shown).toContain('line\\nbreak');

    const printed = await wherry.run(['files', 'cat', '1', 'stdout.txt']);
    expect(printed.text.split('\0').slice(0, -1)).toEqual(awkward);
    const environment = await wherry.succeed(['files', 'cat', '1', 'environment']);
    expect(environment.split('\0').slice(0, -1).sort()).toEqual(
      awkward.map((value, index) => `AWKWARD_${index}=${value}`).sort(),
    );
    await wherry.succeed(['files', 'get', '1', 'in', '--to=-out']);
    for (const name of awkward) {
      expect(await readFile(path.join(wherry.folder, '-out/in', name), 'utf8')).toBe(`content of ${name}`);
      expect(await wherry.succeed(['files', 'cat', '1', '--', `in/${name}`])).toBe(`content of ${name}`);
    }
    const details = JSON.parse(await wherry.succeed(['show', '1', '--json'])) as ProcessDetails;
    expect(details.label).toBe(job.label);
    expect(details.inputs.command).toEqual(job.command);
    const there = await wherry.succeed(['files', 'ls', '1', '--remote', '--json']);
    expect(there).not.toContain('"path": "executed"');
  });

  it('work on the command line', async () => {
    await wherry.write('-dash $(x)', 'dashed');
    const label = '--label with "quotes" and \u001b[31mcolour';
    const words = [
      'run',
      '--computer=localhost',
      `--label=${label}`,
      '--file=-dash $(x)=-dash $(x)',
      '--environment',
      'A=b=c $(d)',
    ];
    const run = await wherry.run([...words, '--', 'sh', '-c', 'cat -- "$1"; printf %s "$A"', '-x', '-dash $(x)']);
    expect(run).toMatchObject({ exitCode: 0 });
    expect(`${run.text}${run.stderr}`).not.toContain('\u001b[31m');
    expect(await wherry.succeed(['files', 'cat', '2', 'stdout.txt'])).toBe('dashedb=c $(d)');
  });
});
