import { broker } from './broker.js';
import { commandLine } from './command-line.js';
import { isolatedJob } from './isolated-job.js';
import { largeFile } from './large-file.js';
import { lifeCycles } from './life-cycles.js';
import type { Measurement } from './measurement.js';
import { parsing } from './parsing.js';
import { processes } from './processes.js';
import { printResult, saveResults } from './report.js';
import { describeSetUp } from './set-up.js';
import { smallFiles } from './small-files.js';
import { throughput } from './throughput.js';
import { waiting } from './waiting.js';

/** `node main.js [NAME…]`: runs the named measurements, or all, prints their tables and keeps them as JSON. */
const measurements: readonly Measurement[] = [
  isolatedJob,
  smallFiles,
  largeFile,
  throughput,
  lifeCycles,
  waiting,
  commandLine,
  broker,
  parsing,
  processes,
];

const names = process.argv.slice(2);
const unknown = names.filter((name) => !measurements.some((measurement) => measurement.name === name));
if (unknown.length > 0) {
  console.error(
    `no measurement is called ${unknown.join(', ')}; there are: ${measurements.map(({ name }) => name).join(', ')}`,
  );
  process.exit(2);
}
const chosen = measurements.filter(({ name }) => names.length === 0 || names.includes(name));
const setUp = await describeSetUp();
console.log(
  `${Object.entries(setUp)
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n')}\n`,
);
for (const measurement of chosen) {
  const { 'load before': load = '', 'speed before': speed = '' } = await describeSetUp();
  const result = await measurement.run();
  printResult(measurement, result);
  await saveResults(measurement, result, { ...setUp, 'load before': load, 'speed before': speed });
}
