import { messageOf, WherryError } from '../errors.js';
import type { NewEvent } from '../store/events.js';
import { isStoreTrouble } from '../store/store-trouble.js';
import type { ProcessChanges, ProcessRow } from '../store/tables.js';
import { backoff, waitAfter } from './backoff.js';
import { ComputerUnavailable } from './computer-unavailable.js';

/** What is needed to know of a process that met a failure. */
export type FailedRow = Pick<
  ProcessRow,
  'id' | 'state' | 'stage' | 'attempts' | 'kill_requested_at' | 'waiting_for' | 'waiting_since'
>;

/** What a failed verb means for its process. */
export type Consequence =
  /** Wait and try again; `attempts` counts only failures of the process itself. */
  | { readonly kind: 'wait'; readonly changes: ProcessChanges; readonly events: readonly NewEvent[] }
  /** A defect, or an environment that cannot be used: the process is excepted. */
  | { readonly kind: 'except'; readonly code: string; readonly message: string; readonly stack: string | undefined };

/**
 * Milliseconds until an unknown submission is looked for again, until a computer that is busy is asked again, and until
 * something is done again whose outcome could not be written down.
 */
const waits = { unknownSubmission: 3_000, busy: 30_000, store: 5_000 } as const;

/**
 * Decides by where and how an error was born, never by its text. The computer's own trouble and limits use up no
 * attempt; a transient failure is tried again with growing waits until the process pauses; a permanent one pauses at
 * once, so that nothing that was computed is lost.
 */
export function consequenceOf(row: FailedRow, error: unknown, now: number, random: number): Consequence {
  if (!(error instanceof WherryError)) return fromSystem(row, error, now, random);
  const { code, message } = error;
  if (isStoreTrouble(error)) return wait(row, now, now + waitAfter(1, random, waits.store), message);
  if (error instanceof ComputerUnavailable || code === 'connection-lost') return wait(row, now, now, message);
  if (code === 'submission-unknown')
    return { kind: 'wait', changes: { due_at: now + waits.unknownSubmission }, events: [] };
  // The computer's own limit rules, not a wait of this process.
  if (code === 'limit-reached') return { kind: 'wait', changes: { due_at: now, waiting_for: null }, events: [] };
  if (code === 'back-pressure') return wait(row, now, now + waitAfter(1, random, waits.busy), message);
  if (code === 'internal' || code === 'checkpoint-unreadable') {
    return { kind: 'except', code, message, stack: error.stack };
  }
  return attempt(row, error, now, random);
}

/** Errors of the local system (disk full, too many open files) pass; anything else is a defect. */
function fromSystem(row: FailedRow, error: unknown, now: number, random: number): Consequence {
  if (error instanceof Error && 'syscall' in error) {
    const wrapped = new WherryError('store-failed', `this machine could not do its part: ${error.message}`, {
      transient: true,
      hint: 'check the space and rights of the home of Wherry',
      cause: error,
    });
    return attempt(row, wrapped, now, random);
  }
  return {
    kind: 'except',
    code: 'internal',
    message: messageOf(error),
    stack: error instanceof Error ? error.stack : undefined,
  };
}

function wait(row: FailedRow, now: number, dueAt: number, reason: string): Consequence {
  const since = row.waiting_for === reason ? row.waiting_since : now;
  return { kind: 'wait', changes: { due_at: dueAt, waiting_for: reason, waiting_since: since }, events: [] };
}

function attempt(row: FailedRow, error: WherryError, now: number, random: number): Consequence {
  const { code, message, hint } = error;
  const attempts = row.attempts + 1;
  // A wish to kill is never given up: pausing would not stop it, and nobody would slow it down.
  const givenUp = row.kill_requested_at === null && (!error.transient || attempts >= backoff.attempts);
  const nextAt = givenUp ? null : now + waitAfter(attempts, random);
  const events: NewEvent[] = [
    {
      type: 'process.failed-attempt',
      data: { stage: row.stage ?? '', attempt: attempts, code, message, nextAt },
    },
  ];
  const changes: ProcessChanges = {
    attempts,
    last_error: JSON.stringify({ code, message, hint, at: now }),
    waiting_for: givenUp ? null : `the next try of ${row.stage}: ${message}`,
    waiting_since: now,
    due_at: nextAt ?? now,
  };
  if (!givenUp) return { kind: 'wait', changes, events };
  const reason = `${row.stage} failed${error.transient ? ` ${attempts} times` : ''}: ${message}${hint ? ` (${hint})` : ''}`;
  return {
    kind: 'wait',
    changes: { ...changes, paused: 1, paused_reason: reason, paused_at: now },
    events: [...events, { type: 'process.paused', data: { reason } }],
  };
}
