import { spawn } from 'node:child_process';
import type { ExecResult } from '../../src/plugin.js';

export interface CommandOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly directory?: string;
  readonly input?: string;
  /** Numeric user and group to run as; only root may change them. */
  readonly as?: { readonly uid: number; readonly gid: number } | undefined;
  /** Milliseconds, default 60 000; the command is killed when they are over. */
  readonly timeout?: number;
}

/** Runs a program to its end, whatever its exit code. The result has the shape that a connection's exec gives. */
export function execute(words: readonly string[], options: CommandOptions = {}): Promise<ExecResult> {
  const [program, ...rest] = words;
  if (program === undefined) throw new Error('no program was named');
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, {
      env: { ...process.env, LC_ALL: 'C', ...options.environment },
      ...(options.directory === undefined ? {} : { cwd: options.directory }),
      ...options.as,
      timeout: options.timeout ?? 60_000,
      killSignal: 'SIGKILL',
    });
    const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
    child.stdout.on('data', (chunk: Buffer) => chunks.stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.stderr.push(chunk));
    child.on('error', reject);
    child.on('close', (exitCode, signal) =>
      resolve({
        stdout: Buffer.concat(chunks.stdout).toString(),
        stderr: Buffer.concat(chunks.stderr).toString(),
        exitCode,
        signal,
        durationMs: performance.now() - started,
      }),
    );
    // A program that ends without reading its input breaks the pipe; its exit code tells all there is to know.
    child.stdin.on('error', (error: NodeJS.ErrnoException) => error.code === 'EPIPE' || reject(error));
    child.stdin.end(options.input ?? '');
  });
}

/** Like `execute`, but any exit code beside 0 is an error. Returns stdout. */
export async function executeOrFail(words: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await execute(words, options);
  if (result.exitCode !== 0) {
    const end = result.signal ?? `exit ${result.exitCode}`;
    throw new Error(`${words.join(' ')}: ${end}\n${result.stdout}${result.stderr}`);
  }
  return result.stdout;
}
