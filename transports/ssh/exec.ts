import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import type { ClientChannel } from 'ssh2';
import {
  CommandError,
  type CommandFailure,
  type Exec,
  type ExecOptions,
  type ExecResult,
  InputError,
  WherryError,
} from '../../src/plugin.js';
import { openExec, type Session } from './channels.js';
import { frameCommand, frameMarker } from './command-text.js';
import { printable } from './errors.js';
import { FrameReader } from './frame.js';
import { bounded, type Scope, unlessAborted } from './scope.js';
import { feed } from './stdin.js';
import { endRemotely } from './termination.js';

const defaultMaxOutput = 16 * 1024 * 1024;

/** The `exec` of a connection; see `Connection.exec` for its contract. */
export function execOver(session: Session): Exec {
  return async (script, options) => {
    if (options.directory !== undefined && !options.directory.startsWith('/')) {
      throw new WherryError('unsafe-path', `the directory ${options.directory} is not absolute`);
    }
    const running = new RunningCommand(session, script, options);
    try {
      return await bounded(
        { what: 'the command', timeout: options.timeout, signal: options.signal, lost: session.lost },
        (scope) => running.run(scope),
      );
    } catch (error) {
      throw running.explain(error);
    }
  };
}

/** One command from the opening of its channel to its end. */
class RunningCommand {
  readonly #session: Session;
  readonly #script: string;
  readonly #options: ExecOptions;
  readonly #started = performance.now();
  readonly #stdout: Buffer[] = [];
  readonly #stderr: Buffer[] = [];
  readonly #out: FrameReader;
  readonly #error: FrameReader;
  readonly #token = randomBytes(8).toString('hex');

  constructor(session: Session, script: string, options: ExecOptions) {
    this.#session = session;
    this.#script = script;
    this.#options = options;
    this.#out = new FrameReader(frameMarker(this.#token));
    this.#error = new FrameReader(frameMarker(this.#token));
  }

  async run(scope: Scope): Promise<ExecResult> {
    const { stdin, directory } = this.#options;
    const hasStdin = stdin !== undefined;
    const { loginShell } = this.#session;
    const command = frameCommand(this.#script, { token: this.#token, directory, hasStdin, loginShell });
    const channel = await openExec(this.#session, command.line, scope.signal);
    const ended = this.#collect(channel, scope);
    const { exitCode, signal } = await this.#whileFeeding(channel, command.stdinPrefix, scope, () =>
      this.#untilEnd(channel, ended, scope),
    );
    if (!this.#out.started) throw this.#neverStarted(exitCode);
    if (!this.#out.inDirectory) throw this.#noDirectory();
    const noise = this.#noise();
    return {
      stdout: text(this.#stdout),
      stderr: text(this.#stderr),
      exitCode,
      signal,
      durationMs: this.#duration(),
      ...(noise === '' ? {} : { noise }),
    };
  }

  /** Gives every failure of the contract the form of a CommandError. */
  explain(error: unknown): unknown {
    if (!(error instanceof WherryError) || error instanceof CommandError || error instanceof InputError) return error;
    const { code, message, transient, hint, cause } = error;
    const command = firstLine(this.#script);
    return new CommandError(code, `${message}: ${command}`, this.#failure(null), {
      transient,
      ...(hint === undefined ? {} : { hint }),
      ...(cause === undefined ? {} : { cause }),
    });
  }

  async #whileFeeding<T>(channel: ClientChannel, prefix: string, scope: Scope, wait: () => Promise<T>): Promise<T> {
    const { stdin } = this.#options;
    let over = false;
    // A command may end without having read all of its input; what it says then counts.
    feed(channel, prefix, stdin, scope.signal).catch((error: unknown) => {
      if (!over) scope.stop(error);
    });
    try {
      return await wait();
    } finally {
      over = true;
      if (stdin instanceof Readable) stdin.destroy();
    }
  }

  async #untilEnd(channel: ClientChannel, ended: Promise<Ended>, scope: Scope): Promise<Ended> {
    try {
      return await unlessAborted(scope.signal, ended);
    } catch (error) {
      if (!this.#session.lost.aborted) await endRemotely(this.#session, channel, this.#out.processId);
      throw error;
    }
  }

  #collect(channel: ClientChannel, scope: Scope): Promise<Ended> {
    const { onStdout, maxOutput = defaultMaxOutput } = this.#options;
    let handled = Promise.resolve();
    if (onStdout === undefined) {
      channel.on('data', keepWithin(maxOutput, this.#out, this.#stdout, scope));
    } else {
      channel.on('data', (chunk: Buffer) => {
        const part = this.#out.push(chunk);
        if (part === undefined || scope.signal.aborted) return;
        channel.pause();
        handled = (async () => {
          try {
            await onStdout(part);
          } catch (error) {
            scope.stop(error);
          }
          channel.resume();
        })();
      });
    }
    channel.stderr.on('data', keepWithin(maxOutput, this.#error, this.#stderr, scope));
    return new Promise<Ended>((resolve, reject) => {
      channel.on('error', reject);
      channel.on('close', (exitCode?: number | null, signal?: string) => {
        const end: Ended = { exitCode: exitCode ?? null, signal: signal ?? null };
        const silent = exitCode === undefined && signal === undefined;
        handled.then(() => {
          if (scope.signal.aborted) reject(scope.signal.reason);
          else if (silent) reject(withoutExitStatus(this.#session.target));
          else resolve(end);
        }, reject);
      });
    });
  }

  #noise(): string {
    return printable(`${this.#out.noise}\n${this.#error.noise}`).trim().slice(0, 1_000);
  }

  #neverStarted(exitCode: number | null): WherryError {
    const noise = this.#noise();
    const said = noise === '' ? 'it printed nothing' : `it said: ${noise}`;
    return new WherryError(
      'command-failed',
      `${this.#session.target} did not start a shell (exit code ${exitCode}); ${said}`,
      { transient: true, hint: 'log in by hand and look at the login shell and its start-up files' },
    );
  }

  #noDirectory(): WherryError {
    const said = text(this.#stderr).trim();
    return new WherryError(
      /permission denied/i.test(said) ? 'permission-denied' : 'file-missing',
      `there is no directory ${this.#options.directory} to run the command in (${printable(said)})`,
      { hint: 'make the directory first' },
    );
  }

  #failure(exitCode: number | null): CommandFailure {
    return {
      command: this.#script.slice(0, 4_096),
      directory: this.#options.directory,
      exitCode,
      signal: null,
      stdout: text(this.#stdout).slice(0, 8_192),
      stderr: text(this.#stderr).slice(0, 8_192),
      durationMs: this.#duration(),
    };
  }

  #duration(): number {
    return performance.now() - this.#started;
  }
}

interface Ended {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

function keepWithin(most: number, frame: FrameReader, kept: Buffer[], scope: Scope): (chunk: Buffer) => void {
  let size = 0;
  return (chunk) => {
    const part = frame.push(chunk);
    if (part === undefined || scope.signal.aborted) return;
    size += part.length;
    if (size <= most) kept.push(part);
    else scope.stop(new WherryError('output-too-large', `the command printed more than ${most} bytes`));
  };
}

function withoutExitStatus(target: string): WherryError {
  return new WherryError('connection-lost', `${target} ended the command without saying how`, { transient: true });
}

function text(chunks: readonly Buffer[]): string {
  return Buffer.concat(chunks).toString();
}

function firstLine(script: string): string {
  const line = printable(script.trimStart().split('\n', 1)[0] ?? '');
  return line.length > 120 ? `${line.slice(0, 120)}…` : line;
}
