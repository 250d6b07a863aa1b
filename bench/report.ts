import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { type Figure, isMet, type Measurement, median, type Result } from './measurement.js';
import type { SetUp } from './set-up.js';

const directory = 'bench/results';
const file = `${directory}/latest.json`;

/** What `bench/results/latest.json` holds for one measurement: the last time that it was run. */
interface KeptResult extends Result {
  readonly title: string;
  readonly at: string;
  readonly machine: SetUp;
}

/** Prints a measurement as a table that can stand in a page of Markdown. */
export function printResult({ name, title }: Measurement, result: Result): void {
  const head = ['', 'median', 'from', 'to', 'runs', 'goal', ''];
  const rows = result.figures.map((figure) => {
    const { label, samples, goal, unit } = figure;
    const met = isMet(figure);
    return [
      label,
      `${shown(median(samples))}${unit === 'number' ? '' : ` ${unit === 'x' ? '×' : unit}`}`,
      shown(Math.min(...samples)),
      shown(Math.max(...samples)),
      String(samples.length),
      goal === undefined ? '' : `${{ 'at most': '≤', 'at least': '≥', exactly: '=' }[goal.kind]} ${goal.value}`,
      met === undefined ? '' : met ? 'met' : 'MISSED',
    ];
  });
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0), 3));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  const notes = result.setUp.map((note) => `- ${note}`);
  console.log([`## ${name}: ${title}`, '', ...notes, '', line(head), rule, ...rows.map(line), ''].join('\n'));
}

/** Puts a result into the file of the latest ones; those of other measurements stay. */
export async function saveResults({ name, title }: Measurement, result: Result, machine: SetUp): Promise<void> {
  const kept = await readKept();
  const figures = result.figures.map((figure) => ({
    ...figure,
    samples: figure.samples.map(rounded),
    ...summary(figure),
  }));
  const entry: KeptResult = { title, at: new Date().toISOString(), machine, ...result, figures };
  await mkdir(directory, { recursive: true });
  await writeFile(`${file}.tmp`, `${JSON.stringify({ ...kept, [name]: entry }, null, 2)}\n`);
  await rename(`${file}.tmp`, file);
}

async function readKept(): Promise<Record<string, KeptResult>> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Record<string, KeptResult>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}

function summary(figure: Figure): { median: number; met?: boolean } {
  const met = isMet(figure);
  return { median: rounded(median(figure.samples)), ...(met === undefined ? {} : { met }) };
}

function shown(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : String(rounded(value));
}

function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
