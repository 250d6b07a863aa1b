import { type ErrorCode, messageOf, WherryError } from '../../errors.js';
import type { ProcessChange } from '../../process/hooks.js';
import type { Lease } from '../../store/leases.js';

/** With what a thread for code of users is started: the profile that it opens. */
export interface CodeThreadData {
  readonly home: string;
  readonly profile: string;
}

/** What one driver of a lane is told to do. Each order is answered once, in its turn. */
export type LaneOrder =
  /** @param resting how many workflows that wait are kept in memory */
  | { readonly type: 'begin'; readonly lease: Lease; readonly lane: string; readonly resting: number }
  | { readonly type: 'step' }
  | { readonly type: 'drain' }
  | { readonly type: 'stop'; readonly reason: ErrorWords };

export interface ToCodeThread {
  /** Number of the driver. */
  readonly driver: number;
  readonly order: LaneOrder;
}

/** How the driver of a lane is; see WorkDriver. */
export interface LaneState {
  readonly steps: number;
  readonly mustSettle: boolean;
  readonly holdsOn: boolean;
  /** Why it has stopped by itself. */
  readonly stopped: ErrorWords | undefined;
}

export interface LaneAnswer {
  readonly type: 'answer';
  readonly driver: number;
  readonly state: LaneState;
  /** After a step: when something will be due, in milliseconds since the epoch. */
  readonly next?: number | undefined;
  readonly error?: ErrorWords | undefined;
}

export type FromCodeThread =
  | LaneAnswer
  /** Something ended, and there may be more to do. */
  | { readonly type: 'woken'; readonly states: ReadonlyMap<number, LaneState> }
  | { readonly type: 'changed'; readonly change: ProcessChange }
  | { readonly type: 'store-trouble'; readonly error: ErrorWords }
  /** Something to tell people of that stops nothing. */
  | { readonly type: 'problem'; readonly error: ErrorWords };

/** An error on its way from one thread to another, which its class would not survive. */
export interface ErrorWords {
  readonly code: ErrorCode;
  readonly message: string;
  readonly transient: boolean;
  readonly hint: string | undefined;
  readonly stack: string | undefined;
}

/** An error as it can be sent. @param code of those that are none of Wherry's */
export function wordsOf(error: unknown, code: ErrorCode = 'internal'): ErrorWords {
  const stack = error instanceof Error ? error.stack : undefined;
  const message = messageOf(error);
  if (!(error instanceof WherryError)) return { code, message, transient: false, hint: undefined, stack };
  return { code: error.code, message, transient: error.transient, hint: error.hint, stack };
}

/** The error that was sent. */
export function errorOf({ code, message, transient, hint, stack }: ErrorWords): WherryError {
  const error = new WherryError(code, message, { transient, ...(hint === undefined ? {} : { hint }) });
  if (stack !== undefined) error.stack = stack;
  return error;
}
