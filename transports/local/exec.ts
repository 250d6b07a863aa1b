import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { Readable, type Writable } from 'node:stream';
import { type CommandFailure, type ExecOptions, type ExecResult, WherryError } from '../../src/plugin.js';
import { closed, commandAborted, commandTimedOut, directoryMissing, outputTooLarge, startFailure } from './errors.js';
import { endGroup } from './group.js';
import { feed, Output } from './streams.js';

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

const defaultMaxOutput = 16 * 2 ** 20;
/** Milliseconds; what is longer would end at once. */
const longestTimer = 2 ** 31 - 1;
/** Bytes of each stream that an error carries. */
const keptOfFailure = 4096;

/**
 * Runs shell text by `/bin/sh` in a process group of its own, as `Connection.exec` promises. However it is stopped, the
 * whole group ends: SIGTERM, and SIGKILL for what is left after two seconds.
 */
export async function runScript(script: string, options: ExecOptions, closing: AbortSignal): Promise<ExecResult> {
  const startedAt = performance.now();
  const { directory, maxOutput = defaultMaxOutput } = options;
  if (directory !== undefined) await checkDirectory(directory);
  const stdout = new Output(maxOutput, options.onStdout);
  const stderr = new Output(maxOutput);
  const failure = (child?: Child): CommandFailure => ({
    command: script.slice(0, keptOfFailure),
    directory,
    exitCode: child?.exitCode ?? null,
    signal: child?.signalCode ?? null,
    stdout: stdout.text(keptOfFailure),
    stderr: stderr.text(keptOfFailure),
    durationMs: performance.now() - startedAt,
  });
  if (options.signal?.aborted) throw commandAborted(failure());
  const child = await start(script, directory);

  let stopReason: (() => unknown) | undefined;
  let ending: Promise<void> | undefined;
  const stop = (reason: () => unknown) => {
    stopReason ??= reason;
    ending ??= endGroup(child);
  };
  const onAbort = () => stop(() => commandAborted(failure(child)));
  const onClose = () => stop(closed);
  const timeLeft = Math.min(options.timeout - (performance.now() - startedAt), longestTimer);
  const timer = setTimeout(() => stop(() => commandTimedOut(failure(child), options.timeout)), timeLeft);
  options.signal?.addEventListener('abort', onAbort);
  closing.addEventListener('abort', onClose);
  // Either may have come while the process was being started.
  if (options.signal?.aborted) onAbort();
  if (closing.aborted) onClose();

  const reading = [stdout.take(child.stdout), stderr.take(child.stderr)].map(async (taking) => {
    try {
      if ((await taking) === 'too-large') stop(() => outputTooLarge(failure(child), maxOutput));
    } catch (error) {
      stop(() => error);
    }
  });
  const feeding = feed(child.stdin, options.stdin).catch((error: unknown) => stop(() => error));
  try {
    await new Promise<void>((resolve) => child.once('close', () => resolve()));
    await Promise.all(reading);
    // Whoever still produces input for a command that has ended learns of it.
    if (options.stdin instanceof Readable) options.stdin.destroy();
    await feeding;
    await ending;
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', onAbort);
    closing.removeEventListener('abort', onClose);
  }
  if (stopReason !== undefined) throw stopReason();
  return {
    stdout: stdout.text(),
    stderr: stderr.text(),
    exitCode: child.exitCode,
    signal: child.signalCode,
    durationMs: performance.now() - startedAt,
  };
}

async function checkDirectory(directory: string): Promise<void> {
  if (!directory.startsWith('/')) throw new WherryError('unsafe-path', `the directory ${directory} is not absolute`);
  const found = await stat(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw startFailure(error);
  });
  if (!found?.isDirectory()) throw directoryMissing(directory);
}

function start(script: string, directory: string | undefined): Promise<Child> {
  return new Promise((resolve, reject) => {
    try {
      const child = spawn('/bin/sh', ['-c', script], {
        cwd: directory,
        detached: true,
        stdio: ['pipe', 'pipe', 'pipe'],
      });
      child.once('error', (error) => reject(startFailure(error)));
      child.once('spawn', () => resolve(child));
    } catch (error) {
      reject(startFailure(error));
    }
  });
}
