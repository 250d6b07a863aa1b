import type { DataPiece } from '../../engine/data-views.js';
import { type CleaningView, type ProcessDetails, processDetails } from '../../engine/views.js';
import { commandLine } from '../../plugin/shell.js';
import { formatDuration } from '../../plugin/units.js';
import { defineCommand, idPositionals, json } from '../command.js';
import { findProcesses } from '../find-process.js';
import { clock, paintState, stateText } from '../process-text.js';
import { paint, print, printable, printJson } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: idPositionals,
  options: { json },
  examples: [
    ['$0 3', 'everything known of process 3'],
    ['$0 3 --json', 'for programs: an object; a list when several ids are given'],
  ],
  run: (given) =>
    withProfile(given, async ({ store }) => {
      const rows = await findProcesses(store, given.ids);
      const details: ProcessDetails[] = [];
      for (const row of rows) details.push(await processDetails(store, row));
      if (given.json) printJson(given.ids.length === 1 ? details[0] : details);
      else print(details.map((one) => describe(one).join('\n')).join('\n\n'));
      return 0;
    }),
});

/** Characters of a value, and processes that were called. */
const longest = 200;
const mostChildren = 20;

function describe(one: ProcessDetails): string[] {
  const time = (iso: string | null) => (iso === null ? undefined : clock(iso));
  const optional = (value: string | null | undefined) => (value === null || value === '' ? undefined : value);
  const { exception, lastError } = one;
  return [
    ...fields({
      id: String(one.id),
      uuid: one.uuid,
      type: `${one.type} ${one.name}`,
      label: optional(one.label),
      description: optional(one.description),
      state: paintState(stateText(one), one),
      'exit message': optional(one.exitMessage),
      exception: exception === null ? undefined : `${exception.code}: ${exception.message}`,
      'thrown at': optional(exception?.place),
      paused: one.paused ? `${one.pausedReason ?? ''} (since ${time(one.pausedAt) ?? '?'})` : undefined,
      'waits for': one.endedAt === null ? optional(one.waitingFor) : undefined,
      'last error': lastError === null ? undefined : `${lastError.message} (attempt ${one.failedAttempts})`,
      computer: optional(one.computer),
      directory: optional(one.remoteDirectory),
      cleaned: one.cleaning === null ? undefined : cleaningText(one.cleaning),
      imported: one.imported ? 'its results were taken from the directory; nothing was submitted' : undefined,
      job: optional(one.jobId),
      'job state':
        one.schedulerState === null ? undefined : [one.schedulerState, one.schedulerReason].filter(Boolean).join(': '),
      code: one.options.code,
      command: one.inputs.command.length === 0 ? undefined : commandLine(one.inputs.command),
      'called by': one.parent === null ? undefined : `process ${one.parent}`,
      module: optional(one.module),
      'taken over': one.cachedFrom === null ? undefined : `from the equal process ${one.cachedFrom}`,
      created: time(one.createdAt),
      ended: time(one.endedAt),
    }),
    ...section(
      one.options.codesRun === 'parallel' ? 'codes, all at once' : 'codes, one after another',
      (one.options.codes ?? []).map((call) => printable(commandLine([call.code, ...call.arguments]))),
    ),
    ...section(
      'asked for',
      Object.entries(one.options.resources ?? {}).map(([name, value]) => `${name}: ${value}`),
    ),
    ...section('inputs', [
      ...one.data.inputs.map(dataLine),
      ...one.inputs.files.map(({ path, size }) => `${printable(path)} (${size} bytes)`),
      ...one.inputs.excluded.map(({ path, size }) => `${printable(path)} (${size} bytes, not kept)`),
    ]),
    ...section('outputs', outputLines(one)),
    ...section('calls', childLines(one)),
    ...section(
      'attempts',
      one.attempts.map(({ attempt, jobName, outcome, jobId, message }) =>
        printable([`${attempt}: ${jobName} ${outcome}`, jobId, message].filter(Boolean).join(', ')),
      ),
    ),
    ...section(
      'timings',
      one.timings.map(
        ({ stage, from, durationMs }) =>
          `${stage}: ${durationMs === null ? 'until now' : duration(durationMs)}, from ${clock(from)}`,
      ),
    ),
  ];
}

function cleaningText({ outcome, requestedAt, requestedBy, cleanedAt, failure }: CleaningView): string {
  if (cleanedAt !== null) return `the directory was removed ${clock(cleanedAt)}`;
  if (outcome === 'waiting') {
    const who = requestedBy === null ? '' : `, by process ${requestedBy}`;
    return `the directory is to be removed, asked for ${clock(requestedAt)}${who}`;
  }
  return `no: ${outcome === 'refused' ? 'refused' : 'given up'}: ${failure?.message ?? ''}`;
}

function outputLines({ outputs, data }: ProcessDetails): string[] {
  const { files = [], ...values } = outputs ?? {};
  return [
    // What is told at greater length below is not told twice.
    ...data.outputs.filter(({ label }) => !Object.hasOwn(values, label)).map(dataLine),
    ...Object.entries(values).map(([name, value]) => printable(`${name}: ${JSON.stringify(value)}`)),
    ...files.map(({ path, size }) => `${printable(path)} (${size} bytes)`),
  ];
}

function dataLine({ label, type, value, files, gone }: DataPiece): string {
  if (type === 'value') return printable(`${label}: ${shortened(JSON.stringify(value))}`);
  if (type === 'remote-folder') {
    const { path } = value as { readonly path: string };
    return printable(`${label}: ${path}${gone === null ? '' : ` (${gone})`}`);
  }
  const [first, ...others] = files;
  const names = `${first?.path ?? 'empty'}${others.length === 0 ? '' : ` and ${others.length} more`}`;
  return printable(`${label}: ${type} ${names}`);
}

function shortened(text: string): string {
  return text.length <= longest ? text : `${text.slice(0, longest)}…`;
}

function childLines({ id, children }: ProcessDetails): string[] {
  const lines = children
    .slice(0, mostChildren)
    .map((child) =>
      printable(
        [`${child.id} ${child.name}`, child.label, child.state, child.exitStatus]
          .filter((part) => part !== null && part !== '')
          .join(' '),
      ),
    );
  return children.length > mostChildren ? [...lines, `… more: wherry show ${id} --json, wherry graph ${id}`] : lines;
}

function duration(milliseconds: number): string {
  return milliseconds < 10_000 ? `${(milliseconds / 1000).toFixed(2)}s` : formatDuration(milliseconds / 1000);
}

function fields(values: Record<string, string | undefined>): string[] {
  return Object.entries(values)
    .filter((entry): entry is [string, string] => entry[1] !== undefined)
    .map(([name, value]) => `${paint.bold(`${name}:`.padEnd(14))}${name === 'state' ? value : printable(value)}`);
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [paint.bold(`${title}:`), ...lines.map((line) => `  ${line}`)];
}
