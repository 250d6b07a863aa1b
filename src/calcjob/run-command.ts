import type { Command } from '../plugin/scheduler.js';
import { commandLine } from '../plugin/shell.js';
import type { Connection, ExecResult } from '../plugin/transport.js';
import { deadlines } from './context.js';

/** Runs a scheduler's command on the computer under the deadline for scheduler commands. */
export function runCommand(connection: Connection, command: Command, signal: AbortSignal): Promise<ExecResult> {
  return connection.exec(commandLine(command.words), {
    timeout: deadlines.scheduler,
    signal,
    ...(command.stdin === undefined ? {} : { stdin: command.stdin }),
    maxOutput: 256 * 2 ** 20,
  });
}
