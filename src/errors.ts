/**
 * Every code an error of Wherry can have, with what it means. The codes are stable: programs branch on them.
 * `docs/errors.md` lists the same table; a test compares the two.
 */
export const errorCodes = {
  'bad-input': 'What the user gave cannot be used; nothing was stored or sent.',
  'not-found': 'A process, computer or file that was named does not exist.',
  'already-exists': 'Something with this name exists already.',
  'plugin-missing': 'No scheduler or transport of this name is installed.',
  'plugin-broken': 'A plugin could not be loaded or broke its contract.',
  'connection-failed': 'The computer could not be reached.',
  'connection-lost': 'The connection broke while it was in use.',
  'authentication-refused': 'The computer refused the login.',
  'host-key-unknown': 'The host key of the computer is not in known_hosts.',
  'host-key-changed': 'The host key of the computer differs from the known one.',
  'back-pressure': 'The other side refused for now (too many sessions or logins).',
  'timed-out': 'An operation did not end before its deadline.',
  aborted: 'The operation was stopped on request.',
  'command-failed': 'A command on the computer ended with an error.',
  'output-too-large': 'A command or file gave more bytes than allowed.',
  'file-missing': 'A file that was asked for does not exist.',
  'file-exists': 'A file or directory stands where a new one should go.',
  'permission-denied': 'The computer refused access to a file or directory.',
  'disk-full': 'No space or quota is left.',
  'transfer-incomplete': 'What arrived differs from what was sent.',
  'unsafe-path': 'A file name points outside its folder or cannot be used.',
  'scheduler-unavailable': 'The scheduler did not answer a question.',
  'scheduler-refused': 'The scheduler refused the job.',
  'limit-reached': 'A limit of the site allows no more jobs for now.',
  'submission-unknown': 'It is not known yet whether the scheduler accepted the job.',
  'transition-refused': 'A process cannot go from its state to the one asked for.',
  'lease-lost': 'Another driver has taken over this work.',
  'checkpoint-unreadable': 'The saved state of a process cannot be read by this version.',
  'store-newer': 'The store was written by a newer version of Wherry.',
  'store-failed': 'The database could not be read or written.',
  'daemon-running': 'A daemon drives this profile already.',
  'daemon-not-running': 'No daemon drives this profile.',
  'daemon-failed': 'The daemon could not start, ended, or did not answer.',
  'broker-unavailable': 'The broker could not be reached, refused us, or is too old.',
  'broker-lost': 'The connection to the broker broke before the answer came.',
  'communicator-closed': 'The communicator was closed.',
  unroutable: 'Nobody answers to the address that was called.',
  'name-taken': 'Somebody answers to this address already.',
  'message-refused': 'A message or a name in it is not what it should be.',
  'computation-failed': 'Code of a user could not be loaded, failed, or needed more than it may have.',
  'bad-definition': 'The definition of a process cannot be used, or none has this name.',
  'module-failed': 'A module with definitions of processes could not be loaded.',
  'workflow-changed': 'A workflow is no longer the one that its record was written by.',
  'process-failed': 'A process that was waited for did not end well.',
  'program-ended': 'The program that ran the process has ended, and no worker knows its definition.',
  internal: 'A defect in Wherry.',
} as const;

export type ErrorCode = keyof typeof errorCodes;

export interface ErrorDetails {
  /** May the same thing succeed later without anybody changing anything? Decides alone whether it is retried. */
  readonly transient?: boolean;
  /** What to do next, as a sentence or a command. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** The one error class of Wherry. Branch on `code` and `transient`, never on the text. */
export class WherryError extends Error {
  override readonly name: string = 'WherryError';
  readonly code: ErrorCode;
  readonly transient: boolean;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.transient = details.transient ?? false;
    this.hint = details.hint;
  }
}

/** How a command on a computer ended badly: result-shaped, so that a caller can read what it printed. */
export interface CommandFailure {
  readonly command: string;
  readonly directory?: string | undefined;
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Bounded: the first kilobytes. */
  readonly stdout: string;
  readonly stderr: string;
  readonly durationMs: number;
}

/** A command on a computer failed, timed out (`code` timed-out) or was aborted (`code` aborted). */
export class CommandError extends WherryError {
  override readonly name = 'CommandError';
  readonly failure: CommandFailure;

  constructor(code: ErrorCode, message: string, failure: CommandFailure, details: ErrorDetails = {}) {
    super(code, message, details);
    this.failure = failure;
  }
}

/** One thing that is wrong with an input; positions are 1-based, of the file the input came from. */
export interface InputIssue {
  /** Dotted path of the key, '' for the whole input. */
  readonly path: string;
  readonly message: string;
  readonly line?: number;
  readonly column?: number;
}

/** Bad input: exit code 2, nothing stored, nothing sent. All issues at once. */
export class InputError extends WherryError {
  override readonly name = 'InputError';
  readonly issues: readonly InputIssue[];

  constructor(message: string, issues: readonly InputIssue[] = [], details: ErrorDetails = {}) {
    super('bad-input', message, details);
    this.issues = issues;
  }
}

/** The text of anything that was thrown, for messages that wrap it. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
