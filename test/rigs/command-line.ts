import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { openProfile } from '../../src/engine/profile.js';
import type { ProcessSummary } from '../../src/engine/views.js';

const program = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));

export interface Outcome {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
  /** Text of stdout. */
  readonly text: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** Told of stderr as it comes, with a way to send signals. */
  readonly onStderr?: (text: string, kill: (signal: NodeJS.Signals) => void) => void;
}

/** The built command line in a home and a folder of its own. */
export interface CommandLine extends AsyncDisposable {
  /** Folder in which it runs. */
  readonly folder: string;
  readonly home: string;
  run(words: readonly string[], options?: RunOptions): Promise<Outcome>;
  /** Expects exit code 0. */
  succeed(words: readonly string[], options?: RunOptions): Promise<string>;
  write(name: string, content: string | Uint8Array): Promise<string>;
  list(): Promise<ProcessSummary[]>;
  /** How many processes and computers the store has. */
  count(): Promise<{ processes: number; computers: number }>;
  /** Runs `tick` again and again until these processes have ended. */
  tickUntilEnded(...ids: number[]): Promise<ProcessSummary[]>;
}

/** A new home and folder for one test. */
export async function startCommandLine(): Promise<CommandLine> {
  if (!existsSync(program)) throw new Error(`${program} does not exist; run: npm run build`);
  const root = await mkdtemp(path.join(tmpdir(), 'wherry-cli-'));
  const [home, folder] = [path.join(root, 'home'), path.join(root, 'here')];
  await mkdir(folder);
  const run = (words: readonly string[], options: RunOptions = {}) =>
    execute(words, { cwd: folder, ...options, environment: { WHERRY_HOME: home, ...options.environment } });
  const succeed = async (words: readonly string[], options: RunOptions = {}) => {
    const outcome = await run(words, options);
    if (outcome.exitCode === 0) return outcome.text;
    throw new Error(`wherry ${words.join(' ')} ended with ${outcome.exitCode ?? outcome.signal}: ${outcome.stderr}`);
  };
  const list = async () => JSON.parse(await succeed(['ps', '--all', '--json'])) as ProcessSummary[];
  return {
    folder,
    home,
    run,
    succeed,
    list,
    async count() {
      await using profile = await openProfile({ home });
      const [processes, computers] = await Promise.all(
        (['processes', 'computers'] as const).map((table) => profile.store.selectFrom(table).select('id').execute()),
      );
      return { processes: processes?.length ?? 0, computers: computers?.length ?? 0 };
    },
    async write(name, content) {
      const file = path.join(folder, name);
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, content);
      return file;
    },
    async tickUntilEnded(...ids) {
      const deadline = Date.now() + 60_000;
      for (;;) {
        await succeed(['tick']);
        const chosen = (await list()).filter(({ id }) => ids.includes(id));
        if (chosen.length === ids.length && chosen.every(({ endedAt }) => endedAt !== null)) return chosen;
        if (Date.now() > deadline) throw new Error(`not ended after a minute: ${JSON.stringify(chosen, null, 1)}`);
      }
    },
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  };
}

function execute(words: readonly string[], options: RunOptions): Promise<Outcome> {
  const { cwd, environment = {}, stdin = '', onStderr } = options;
  const { NO_COLOR: _, ...inherited } = process.env;
  const child = spawn(process.execPath, [program, ...words], { cwd, env: { ...inherited, ...environment } });
  const out: Buffer[] = [];
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
    onStderr?.(stderr, (signal) => child.kill(signal));
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, signal) => {
      const stdout = Buffer.concat(out);
      resolve({ exitCode, signal, stdout, stderr, text: stdout.toString() });
    });
  });
}
