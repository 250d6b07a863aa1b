import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type ComputerConfig, computerSchema } from '../../../src/config/computer.js';
import { readComputerText, writeComputer } from '../../../src/config/computer-file.js';

const text = fc
  .string({
    unit: fc.oneof(
      fc.constantFrom('\n', '\r', '\t', '"', "'", ':', '#', ' ', '-', '$'),
      fc.string({ minLength: 1, maxLength: 1 }),
    ),
  })
  .filter((value) => !value.includes('\0'));
const word = fc.string({ minLength: 1 });
const settings = fc.dictionary(
  word.filter((key) => key !== '__proto__'),
  fc.jsonValue({ maxDepth: 2, noUnicodeString: false }).filter((value) => !JSON.stringify(value).includes('__proto__')),
);
const count = fc.integer({ min: 1, max: 1e6 });

const config = fc.record(
  {
    label: fc.stringMatching(/^\w[\w.-]{0,62}$/),
    description: text,
    transport: word,
    connection: settings,
    scheduler: word,
    schedulerOptions: settings,
    workDirectory: text.map((name) => `/scratch/${name.replace(/[\n/{}.]/g, '')}`),
    shebang: fc.constantFrom('#!/bin/sh', '#!/usr/bin/env -S bash -l'),
    mpirun: fc.array(text.map((word) => word.replaceAll('{', ''))),
    doubleQuotes: fc.boolean(),
    prepend: text,
    append: text,
    resources: fc.record(
      {
        nodes: count,
        memoryPerNode: fc.constantFrom('64GiB', '500MB', 2 ** 21),
        walltime: fc.constantFrom('1h30m', 1.5),
      },
      { requiredKeys: [] },
    ),
    limits: fc.record(
      {
        maxQueued: count,
        submitPerMinute: fc.double({ min: 0.001, max: 1e4, noNaN: true }),
        minPollInterval: fc.integer({ min: 0, max: 86_400_000 }).map((milliseconds) => milliseconds / 1000),
        safeOpenInterval: fc.constantFrom('0s', '30s', '1h30m', '250ms', '1d'),
        maxChannels: fc.integer({ min: 1, max: 64 }),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: ['label', 'transport', 'scheduler', 'workDirectory'] },
);

it('keeps the blanks of a text of blank lines', () => {
  const input = { label: 'a', transport: 't', scheduler: 's', workDirectory: '/scratch/', description: ' \n' };
  const computer: ComputerConfig = computerSchema.parse(input);
  expect(readComputerText(writeComputer(computer), 'text').config).toEqual(computer);
});

it('writes what reads back to the same', () => {
  fc.assert(
    fc.property(config, (input) => {
      const computer: ComputerConfig = computerSchema.parse(input);
      expect(readComputerText(writeComputer(computer), 'x').config).toEqual(computer);
    }),
    { numRuns: 100 },
  );
}, 30_000);

it('leaves defaults out and writes durations for people', () => {
  const { config: computer } = readComputerText(
    `label: daint
transport: ssh
connection: { host: daint.cscs.ch, port: 22 }
scheduler: slurm
workDirectory: /scratch/me/wherry
prepend: "module load cray\\nmodule load gcc\\n"
shebang: "#!/bin/bash"
limits: { maxQueued: 100, minPollInterval: 30, safeOpenInterval: 90000ms }
`,
    'daint.yaml',
  );
  expect(writeComputer(computer)).toBe(`label: daint
transport: ssh
connection:
  host: daint.cscs.ch
  port: 22
scheduler: slurm
workDirectory: /scratch/me/wherry
prepend: |
  module load cray
  module load gcc
limits:
  maxQueued: 100
  minPollInterval: 30s
  safeOpenInterval: 1m30s
`);
});
