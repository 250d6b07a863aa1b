import { type CommandEntry, groups } from './command-table.js';

/** What `wherry --help` prints. */
export function programHelp(table: readonly CommandEntry[]): string {
  return [
    'wherry <command> [options]',
    '',
    'Ferries calculations to HPC clusters and brings the results back.',
    '',
    'Commands:',
    ...aligned(table.map((entry) => [`${entry.path.join(' ')} ${entry.usage}`.trimEnd(), entry.describe])),
    '',
    'Options of every command:',
    ...aligned(globalLines),
    '',
    'Examples:',
    ...aligned([
      ['wherry run --computer localhost -- echo hello', 'run a command as a job and wait'],
      ['wherry submit job.yaml && wherry tick', 'store a job, then do what is due'],
    ]),
    '',
    'wherry <command> --help tells more.',
  ].join('\n');
}

/** What `wherry computer --help` prints, and so on. */
export function groupHelp(group: string, table: readonly CommandEntry[]): string {
  const entries = table.filter(({ path }) => path[0] === group && path.length > 1);
  return [
    `wherry ${group} <command> [options]`,
    '',
    `${groups[group] ?? ''}.`,
    '',
    'Commands:',
    ...aligned(entries.map((entry) => [`${entry.path.join(' ')} ${entry.usage}`.trimEnd(), entry.describe])),
    '',
    `wherry ${group} <command> --help tells more.`,
  ].join('\n');
}

const globalLines: readonly (readonly [string, string])[] = [
  ['--home DIR', 'where Wherry keeps its state (default: WHERRY_HOME, else ~/.wherry)'],
  ['--profile NAME', 'the profile in it (default: default)'],
  ['--help, --version', ''],
];

function aligned(lines: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...lines.map(([left]) => left.length));
  return lines.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`.trimEnd());
}
