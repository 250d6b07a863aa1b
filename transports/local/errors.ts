import { CommandError, type CommandFailure, messageOf, WherryError } from '../../src/plugin.js';

export function closed(): WherryError {
  return new WherryError('connection-lost', 'the connection to this machine was closed', {
    transient: true,
    hint: 'open a new connection',
  });
}

export function aborted(what: string): WherryError {
  return new WherryError('aborted', `${what} was stopped on request`);
}

export function commandAborted(failure: CommandFailure): CommandError {
  return new CommandError('aborted', 'the command was stopped on request', failure);
}

/** `timeout` in milliseconds. */
export function commandTimedOut(failure: CommandFailure, timeout: number): CommandError {
  return new CommandError('timed-out', `the command did not end within ${timeout / 1000} s`, failure, {
    transient: true,
    hint: 'the machine or a file system of it may hang; look at what the command waits for',
  });
}

export function outputTooLarge(failure: CommandFailure, maxOutput: number): CommandError {
  return new CommandError('output-too-large', `the command printed more than ${maxOutput} bytes`, failure, {
    hint: 'ask for less, or raise the limit',
  });
}

export function directoryMissing(directory: string): WherryError {
  return new WherryError('file-missing', `there is no directory ${directory} to run the command in`, {
    hint: 'make the directory first',
  });
}

/** What it means that a process could not be started at all. */
export function startFailure(thrown: unknown): WherryError {
  const code = (thrown as NodeJS.ErrnoException | undefined)?.code ?? '';
  if (['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE'].includes(code)) {
    return new WherryError('back-pressure', `this machine starts no more processes for now (${code})`, {
      transient: true,
      hint: 'it is tried again; raise the limits of processes and open files if it stays so',
      cause: thrown,
    });
  }
  if (code === 'E2BIG') {
    return new WherryError('bad-input', 'the text of the command is longer than this machine allows', {
      hint: 'give the command its data by stdin',
      cause: thrown,
    });
  }
  if (code === 'EACCES') {
    return new WherryError('permission-denied', `the command could not be started: ${messageOf(thrown)}`, {
      hint: 'check the mode of the directory it is to run in',
      cause: thrown,
    });
  }
  return new WherryError('command-failed', `the command could not be started: ${messageOf(thrown)}`, { cause: thrown });
}
