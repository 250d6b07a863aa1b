import type { ProcessLine } from '../engine/views.js';
import { paint, printable } from './terminal.js';

/** The state of a process in one or a few words: `waiting update`, `finished`, `failed (3)`, `paused upload`. */
export function stateText({ state, stage, paused, exitStatus }: ProcessLine): string {
  if (state === 'finished') return exitStatus === 0 ? 'finished' : `failed (${exitStatus})`;
  // What has one stage only has none for people.
  return [paused ? 'paused' : state, stage === 'run' ? '' : (stage ?? '')].join(' ').trim();
}

/** Did it end as it should? */
export function succeeded({ state, exitStatus }: Pick<ProcessLine, 'state' | 'exitStatus'>): boolean {
  return state === 'finished' && exitStatus === 0;
}

/** Colours a state: green for success, red for failure, yellow for what needs somebody. */
export function paintState(text: string, summary: ProcessLine): string {
  if (succeeded(summary)) return paint.green(text);
  if (summary.endedAt !== null) return paint.red(text);
  return summary.paused ? paint.yellow(text) : text;
}

/** What happened to it or what it waits for, in one line. */
export function remark(summary: ProcessLine): string {
  return printable((summary.endedAt === null ? summary.waitingFor : summary.exitMessage) ?? '');
}

/** `process 3 (silicon)`. */
export function nameOf({ id, label }: { readonly id: number; readonly label: string }): string {
  return label === '' ? `process ${id}` : `process ${id} (${printable(label)})`;
}

/** `1 process`, `2 processes`. */
export function counted(count: number, singular: string, plural = `${singular}s`): string {
  return `${count} ${count === 1 ? singular : plural}`;
}

/** How long ago, roughly: `12s`, `5m`, `3h`, `2d`. */
export function age(iso: string, now = Date.now()): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(iso)) / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)}h` : `${Math.round(seconds / 86_400)}d`;
}

/** A time of day with its date, in the local zone: `2026-11-21 14:03:22`. */
export function clock(iso: string): string {
  const at = new Date(iso);
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
