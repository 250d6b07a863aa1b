import { InputError, messageOf, WherryError } from '../errors.js';
import { paintTalk, printableLines, say } from './terminal.js';

/** Codes of the command line: done, it failed, bad usage or bad input. */
export const exitCodes = { done: 0, failed: 1, badInput: 2 } as const;

/** Tells what went wrong and what to do next, on stderr, and gives the exit code that stands for it. */
export function reportError(error: unknown): number {
  for (const line of describeError(error)) say(line);
  if (debugging() && error instanceof Error) say(printableLines(stackOf(error)));
  return exitCodeOf(error);
}

/** 2 for bad usage and bad input, else 1. */
export function exitCodeOf(error: unknown): number {
  return error instanceof WherryError && error.code === 'bad-input' ? exitCodes.badInput : exitCodes.failed;
}

/** The lines that tell an error, safe for a terminal. */
export function describeError(error: unknown): string[] {
  const name = paintTalk.red('wherry:');
  // The message of an InputError holds all its issues, each with its place.
  const lines = printableLines(messageOf(error))
    .split('\n')
    .map((line) => `${name} ${line}`);
  if (error instanceof WherryError) {
    if (error.hint !== undefined) lines.push(...hintLines(error.hint));
  } else if (isSystemError(error)) {
    lines.push(...hintLines('this machine refused it; check space, rights and limits'));
  } else {
    lines.push(...hintLines('this is a defect; run it again with WHERRY_DEBUG=1 and report what it prints'));
  }
  return lines;
}

/** A hint as it stands below a message. */
export function hintLines(hint: string): string[] {
  return printableLines(hint)
    .split('\n')
    .map((line) => `  ${paintTalk.cyan('→')} ${line}`);
}

/** Bad usage of the command line. */
export function usageError(message: string, hint: string): InputError {
  return new InputError(message, [], { hint });
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}

function debugging(): boolean {
  return process.env.WHERRY_DEBUG !== undefined && process.env.WHERRY_DEBUG !== '';
}

function stackOf(error: Error): string {
  const stack = error.stack ?? '';
  return error.cause instanceof Error ? `${stack}\ncaused by ${stackOf(error.cause)}` : stack;
}
