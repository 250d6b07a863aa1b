import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { computerSchema } from '../../../src/config/computer.js';
import { readDocument } from '../../../src/config/document.js';
import { jobSchema } from '../../../src/config/job.js';
import { InputError } from '../../../src/errors.js';

const job = (text: string) => readDocument(text, { source: 'job.yaml', schema: jobSchema });
const computer = (text: string) => readDocument(text, { source: 'c.yaml', schema: computerSchema });

function failure(read: () => unknown): InputError {
  try {
    read();
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

describe('what is wrong is told with its place', () => {
  it.each([
    [
      'unknown key',
      'computer: c\nlabel: x\ncomand: [a]\n',
      'job.yaml:3:1 unknown key "comand" (did you mean "command"?)',
    ],
    ['missing key', 'computer: c\n', 'job.yaml:1:1 command: is missing'],
    ['number for text', 'command: [srun, -n, 4]', 'command[2]: must be text, not 4; write it in quotes: "4"'],
    [
      'true for text',
      'command: [a]\nenvironment:\n  A: true',
      'job.yaml:3:6 environment.A: must be text, not true; write it in quotes: "true"',
    ],
    ['empty value', 'command:\n', 'job.yaml:1:1 command: is empty, must be a list'],
    ['empty command', 'command: []\n', 'command: names no program'],
    ['empty program', 'command: [""]\n', 'command: names no program'],
    ['text for a list', 'command: pw.x\n', 'job.yaml:1:10 command: must be a list, not "pw.x"'],
    ['negative', 'command: [a]\nresources: { nodes: -1 }', 'job.yaml:2:21 resources.nodes: must be at least 1'],
    ['zero', 'command: [a]\nresources: { nodes: 0 }', 'resources.nodes: must be at least 1'],
    ['absurd', 'command: [a]\nresources: { nodes: 1e12 }', 'resources.nodes: must be at most 1000000'],
    ['not whole', 'command: [a]\nresources: { nodes: 1.5 }', 'resources.nodes: must be a whole number, not 1.5'],
    ['NaN', 'command: [a]\nresources: { nodes: .nan }', 'resources.nodes: must be a number, not NaN'],
    ['infinity', 'command: [a]\nresources: { tasksPerNode: .inf }', 'must be a number, not Infinity'],
    [
      'NaN memory',
      'command: [a]\nresources: { memoryPerNode: .nan }',
      'memoryPerNode: must be a size such as 500MB or 64GiB',
    ],
    [
      'memory list',
      'command: [a]\nresources: { memoryPerNode: [1] }',
      'memoryPerNode: must be a size such as 500MB or 64GiB',
    ],
    [
      'memory words',
      'command: [a]\nresources: { memoryPerNode: 64 gigs }',
      '"64 gigs" is no size: write for example 500MB or 64GiB',
    ],
    [
      'memory without unit',
      'command: [a]\nresources: { memoryPerNode: 64 }',
      'must be between 1MiB and 1024TiB, with its unit',
    ],
    [
      'walltime words',
      'command: [a]\nresources: { walltime: 1 hour }',
      '"1 hour" is no duration: write for example 30s',
    ],
    [
      'walltime list',
      'command: [a]\nresources: { walltime: true }',
      'walltime: must be a duration such as 90m or 1h30m',
    ],
    ['walltime negative', 'command: [a]\nresources: { walltime: -5 }', 'walltime: must be between 1s and 3650d'],
    [
      'walltime absurd',
      'command: [a]\nresources: { walltime: 99999999999d }',
      'walltime: must be between 1s and 3650d',
    ],
    [
      'resource unknown',
      'command: [a]\nresources: { nodez: 1 }',
      'job.yaml:2:14 resources: unknown key "nodez" (did you mean "nodes"?)',
    ],
    [
      'allowed keys',
      'command: [a]\nresources: { zzz: 1 }',
      '"zzz" (allowed: nodes, tasksPerNode, cpusPerTask, gpusPerNode, memoryPerNode, walltime)',
    ],
    [
      'retrieve outside',
      'command: [a]\nretrieve: [../x]',
      'job.yaml:2:12 retrieve[0]: must be a relative path inside the job directory',
    ],
    ['retrieve number', 'command: [a]\nretrieve: [1]', 'retrieve[0]: must be text or a mapping, not 1'],
    [
      'retrieve typo',
      'command: [a]\nretrieve:\n  - { form: a }',
      'job.yaml:3:7 retrieve[0]: unknown key "form" (did you mean "from"?)',
    ],
    ['retrieve missing', 'command: [a]\nretrieve: [{ to: a }]', 'retrieve[0].from: is missing'],
    ['retrieve to', 'command: [a]\nretrieve: [{ from: a, to: 1 }]', 'retrieve[0].to: must be "." or text, not 1'],
    ['retrieve depth', 'command: [a]\nretrieve: [{ from: a, depth: -1 }]', 'retrieve[0].depth: must be at least 0'],
    [
      'target outside',
      'command: [a]\nfiles: { ../x: y }',
      'job.yaml:2:10 files["../x"]: as a name: must be a relative path inside',
    ],
    ['target absolute', 'command: [a]\nfiles: { /x: y }', 'must be a relative path inside'],
    ['own folder', 'command: [a]\nfiles: { .wherry/x: y }', 'not in .wherry'],
    ['variable name', 'command: [a]\nenvironment: { "A B": y }', 'is no name of an environment variable'],
    ['header line', 'command: [a]\nheaderLines: ["rm -rf"]', 'headerLines[0]: must be one line that begins with #'],
    ['NUL in argument', 'command: [a, "\\0"]', 'command[1]: a NUL character cannot be used here'],
    ['NUL in target', 'command: [a]\nfiles: { "a\\0": y }', 'a NUL character cannot be used here'],
    ['NUL in stdout', 'command: [a]\nstdout: "\\0"', 'stdout: a NUL character cannot be used here'],
    ['half character', 'command: [a, "\\ud800"]', 'half of a surrogate pair'],
    ['list', '- a\n- b\n', 'job.yaml:1:1 must be a mapping'],
    ['text', 'just words', 'job.yaml:1:1 must be a mapping'],
    ['empty file', '', 'job.yaml:1:1 is empty'],
    ['only comments', '# nothing\n\n', 'is empty'],
    ['tabs', 'resources:\n\tnodes: 1\n', 'job.yaml:2:1 a tab cannot indent here; use blanks'],
    ['duplicate key', 'label: a\ncommand: [a]\nlabel: b', 'job.yaml:3:1 the key "label" is given twice'],
    ['documents', 'label: a\n---\nlabel: b', 'job.yaml:2:1 a second document begins here'],
    ['syntax', 'command: [a\n', 'job.yaml:2:1 '],
    ['bad tag', 'command: !!js/function a', 'job.yaml:1:10 unresolved tag'],
    ['no anchor', 'command: *a', 'job.yaml:1:10 the alias *a has no anchor before it'],
    ['circle', 'command: &a [*a]', 'the alias *a stands inside what it stands for'],
    ['key list', '? [a]\n: b', 'a key must be text'],
    ['prototype', 'environment: { __proto__: a }', 'the key "__proto__" cannot be used'],
    ['nesting', `command: ${'['.repeat(200_000)}`, 'is nested more than 64 levels deep'],
    ['block nesting', `command:\n ${'- '.repeat(5_000)}a`, 'is nested more than 64 levels deep'],
  ])('%s', (_, text, message) => {
    const error = failure(() => job(text));
    expect(error.message).toContain(message);
    expect(error.issues.every(({ line, column }) => Number(line) >= 1 && Number(column) >= 1)).toBe(true);
  });

  it('tells everything at once', () => {
    const error = failure(() => job('lable: x\ncommand: [1]\nresources:\n  nodes: none\n'));
    expect(error.message.split('\n')).toEqual([
      'job.yaml:1:1 unknown key "lable" (did you mean "label"?)',
      'job.yaml:2:11 command[0]: must be text, not 1; write it in quotes: "1"',
      'job.yaml:4:10 resources.nodes: must be a number, not "none"',
    ]);
    expect(error.issues[2]).toMatchObject({ path: 'resources.nodes', line: 4, column: 10 });
  });

  it('bounds how much it tells', () => {
    const text = Array.from({ length: 5_000 }, (_, index) => `key${index}: 1`).join('\n');
    const lines = failure(() => job(text)).message.split('\n');
    expect(lines).toHaveLength(101);
    expect(lines.at(-1)).toContain('and 4901 more');
  });

  it('bounds how much of the input it repeats, and the time it takes', () => {
    const long = 'y'.repeat(100_000);
    expect(failure(() => job(`${long}: 1\nenvironment: { ? "${long}-" : a }`)).message.length).toBeLessThan(5_000);
    const digits = '9'.repeat(1_000_000);
    expect(failure(() => job(`command: [a]\nresources: { walltime: ${digits}x }`)).message).toContain(
      'resources.walltime: must have at most 100 characters',
    );
  });

  it('bounds aliases that multiply', () => {
    const levels = Array.from(
      { length: 9 },
      (_, index) => `l${index + 1}: &l${index + 1} [${'*l'.concat(`${index}, `).repeat(9)}]`,
    );
    expect(failure(() => job(`l0: &l0 [a]\n${levels.join('\n')}\n`)).message).toContain('aliases multiply too much');
    expect(failure(() => job(`a: &a x\nb: [${'*a, '.repeat(101)}]`)).message).toContain('more than 100 aliases');
  });

  it('finds issues behind aliases', () => {
    expect(failure(() => job('files: &f { a: 1 }\nenvironment: *f\ncommand: [a]')).message).toContain(
      'job.yaml:1:16 environment.a',
    );
  });

  it('refuses 11 MiB before it reads them', () => {
    expect(failure(() => job(`# ${'x'.repeat(11 * 2 ** 20)}`)).message).toBe('job.yaml: is larger than 10 MiB');
  });

  it('shows no control character of the input', () => {
    const { message } = failure(() => job('"\\e[31mred\\n\\u202e": 1\ncommand: [a]'));
    expect(message).toMatch(/^[^\p{Cc}\u202e]+$/u);
  });
});

describe('what computers may say', () => {
  const text = (more: string) => `label: c\ntransport: local\nscheduler: direct\n${more}`;

  it.each(['/', '//', '/.', '/a/..', '/a/../b', 'relative', '""', '"/a\\0"', '"~"', '{home}', '/x/{username}'])(
    'refuses the work directory %s',
    (directory) => {
      expect(
        failure(() =>
          computer(text(`workDirectory: ${JSON.stringify(directory.replaceAll('"', ''))}`.replace('\\\\0', '\\0'))),
        ).message,
      ).toContain('c.yaml:4:16 workDirectory: ');
    },
  );

  it.each(['/scratch/{user}/wherry', '~/wherry', '{home}/w', '/a b/"c"/$(d)'])(
    'takes the work directory %s',
    (directory) => {
      expect(computer(text(`workDirectory: ${JSON.stringify(directory)}`)).workDirectory).toBe(directory);
    },
  );

  it.each([
    ['minPollInterval: never', '"never" is no duration: write for example 30s'],
    ['minPollInterval: 2d', 'must be at most a day'],
    ['minPollInterval: -1', 'must be at least 0'],
    ['minPollInterval: []', 'must be a duration such as 30s'],
    ['maxQueued: 0', 'must be at least 1'],
    ['submitPerMinute: .inf', 'must be a number, not Infinity'],
    ['maxChannel: 1', 'unknown key "maxChannel" (did you mean "maxChannels"?)'],
  ])('refuses limits %s', (limit, message) => {
    expect(failure(() => computer(text(`workDirectory: /w\nlimits: { ${limit} }`))).message).toContain(message);
  });

  it('refuses NUL in what goes into scripts', () => {
    expect(failure(() => computer(text('workDirectory: /w\nprepend: "\\0"'))).message).toContain('prepend: a NUL');
  });
});

describe('what is accepted unchanged', () => {
  const odd = [
    'a b',
    "it's",
    '"quoted"',
    '$(reboot)',
    '`id`',
    'two\nlines',
    'größe-水',
    '-rf',
    '--',
    '$HOME',
    '*',
    'a\\b',
    ' edge ',
    '#no',
    ': ',
  ];

  it.each(odd)('%j as argument, file, value and label', (name) => {
    const value = {
      command: ['prog', name],
      files: { [name]: name },
      environment: { A: name },
      label: name,
      retrieve: [name],
    };
    expect(job(JSON.stringify(value))).toMatchObject(value);
  });

  it.each([
    ['a byte order mark', '\uFEFFcommand: [a]\nlabel: b\n'],
    ['CRLF', 'command: [a]\r\nlabel: b\r\n'],
    ['JSON with tabs', '{\n\t"command": ["a"],\n\t"label": "b"\n}'],
  ])('%s', (_, text) => {
    expect(job(text)).toMatchObject({ command: ['a'], label: 'b' });
  });

  it('counts columns without the byte order mark, lines with CRLF', () => {
    expect(failure(() => job('\uFEFFlable: 1\r\ncommand: 2\r\n')).message).toBe(
      'job.yaml:1:1 unknown key "lable" (did you mean "label"?)\njob.yaml:2:10 command: must be a list, not 2',
    );
  });

  it('the job file of the documentation', () => {
    const text = `
computer: daint
command: [pw.x, -in, pw.in]
files: { pw.in: ./pw.in, pseudo/: ./pseudo/ }
resources: { nodes: 2, tasksPerNode: 64, cpusPerTask: 1, gpusPerNode: 4, memoryPerNode: 64GiB, walltime: 1h30m }
environment: { OMP_NUM_THREADS: "1" }
retrieve: [pw.out, { from: "out/**/*.xml", to: results, depth: 2 }]
`;
    expect(job(text).resources).toMatchObject({ memoryPerNode: 64 * 2 ** 30, walltime: 5400 });
  });
});

it('words other issues of schemas too', () => {
  const schema = z.strictObject({
    mode: z.enum(['fast', 'slow']).optional(),
    url: z.url().optional(),
    name: z.string().min(3).max(4).optional(),
    list: z.array(z.string()).max(1).optional(),
    step: z.number().multipleOf(5).optional(),
    ratio: z.number().positive().lt(1).optional(),
    shape: z.string().regex(/^a/).optional(),
  });
  const text = 'mode: fats\nurl: x\nname: ab\nlist: [a, b]\nstep: 3\nratio: 0\nshape: b';
  expect(failure(() => readDocument(text, { source: 'x', schema })).message.split('\n')).toEqual([
    'x:1:7 mode: must be one of "fast", "slow", not "fats"',
    'x:2:6 url: must be a valid url',
    'x:3:7 name: must have at least 3 characters',
    'x:4:7 list: must have at most 1 entry',
    'x:5:7 step: must be a multiple of 5',
    'x:6:8 ratio: must be more than 0',
    'x:7:8 shape: "b" has the wrong form',
  ]);
});
