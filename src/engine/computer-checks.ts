import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { deadlines, queryContext, workDirectory } from '../calcjob/context.js';
import { runCommand } from '../calcjob/run-command.js';
import { WherryError } from '../errors.js';
import { quote } from '../plugin/shell.js';
import type { Connection, ExecResult, TreeEntry } from '../plugin/transport.js';
import type { LoadedComputer } from './loaded-computer.js';

/** What a check found when it did not fail; with a hint it is a warning. */
export interface Finding {
  readonly detail: string;
  readonly hint?: string | undefined;
}

/** What the checks of one computer share. */
export interface TestContext {
  readonly computer: LoadedComputer;
  readonly connection: Connection;
  readonly signal: AbortSignal;
}

/** One thing that must work; it throws when it does not. */
export interface ComputerCheck {
  readonly name: string;
  run(context: TestContext): Promise<Finding>;
}

/** Everything that is tried on an open connection, in order. */
export function checks({ scheduler }: LoadedComputer): ComputerCheck[] {
  return [
    { name: 'round trip', run: roundTrip },
    { name: 'login shell', run: loginShell },
    { name: 'clock', run: clock },
    { name: 'tools', run: tools },
    { name: 'work directory', run: workDirectoryCheck },
    { name: 'file', run: fileThereAndBack },
    { name: 'tree', run: treeThereAndBack },
    { name: `${scheduler.name} commands`, run: schedulerCommands },
    { name: `${scheduler.name} queue`, run: schedulerQueue },
  ];
}

/** Runs shell text whose failure is the failure of the check. */
async function run({ connection, signal }: TestContext, script: string): Promise<ExecResult> {
  const result = await connection.exec(script, { timeout: deadlines.command, signal });
  if (result.exitCode === 0) return result;
  const said = result.stderr.trim() || result.stdout.trim();
  throw new WherryError(
    'command-failed',
    `ended with exit code ${result.exitCode}${said ? `: ${said.slice(0, 500)}` : ''}`,
  );
}

/** Milliseconds for one command beyond which submitting many jobs is slow. */
const slowRoundTrip = 1_000;

async function roundTrip(context: TestContext): Promise<Finding> {
  const times: number[] = [];
  for (let turn = 0; turn < 5; turn++) times.push((await run(context, 'true')).durationMs);
  const median = times.sort((one, other) => one - other)[2] ?? 0;
  const hint = median > slowRoundTrip ? 'a slow start-up file of the login shell, or a far computer' : undefined;
  return { detail: `${Math.round(median)} ms (median of 5)`, hint };
}

/** What a start-up file prints disturbs programs that read a shell's output. */
async function loginShell(context: TestContext): Promise<Finding> {
  const { stdout, stderr, noise: startUp = '' } = await run(context, ':');
  const noise = `${startUp}${stdout}${stderr}`.trim();
  if (noise === '') return { detail: 'prints nothing of its own' };
  return {
    detail: `prints ${JSON.stringify(noise.slice(0, 200))} in front of every command`,
    hint: 'let start-up files (such as ~/.bashrc) print only when the shell is interactive',
  };
}

/** Seconds by which clocks may differ without anybody being confused. */
const clockTolerance = 60;

async function clock(context: TestContext): Promise<Finding> {
  const before = Date.now();
  const { stdout } = await run(context, 'date +%s');
  const there = Number(stdout.trim()) * 1000 + 500;
  if (!Number.isFinite(there))
    throw new WherryError('command-failed', `date printed ${JSON.stringify(stdout.slice(0, 100))}`);
  const difference = (there - (before + Date.now()) / 2) / 1000;
  const away = Math.abs(difference) <= 2 ? 0 : Math.round(difference);
  if (away === 0) return { detail: 'agrees with this machine' };
  const detail = `${Math.abs(away)} s ${away > 0 ? 'ahead of' : 'behind'} this machine`;
  return {
    detail,
    hint: Math.abs(away) > clockTolerance ? 'times in reports will look odd; set the clocks by NTP' : undefined,
  };
}

const toolsScript = `
missing=
for tool in sh cat mv mkdir rm ln readlink find tar date; do command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"; done
command -v sha256sum >/dev/null 2>&1 || command -v shasum >/dev/null 2>&1 || missing="$missing sha256sum"
find / -maxdepth 0 -printf '' >/dev/null 2>&1 || missing="$missing find-with-printf"
mv --help 2>/dev/null | grep -q -e ' -T' || missing="$missing mv-with-T"
echo "missing:$missing"`;

async function tools(context: TestContext): Promise<Finding> {
  const { stdout } = await run(context, toolsScript);
  const missing = (/missing:(.*)/.exec(stdout)?.[1] ?? '').trim();
  if (missing === '') return { detail: 'everything that is needed is there' };
  throw new WherryError('command-failed', `not on the computer: ${missing.split(' ').join(', ')}`, {
    hint: 'Wherry needs the GNU tools (coreutils, findutils, tar) on the PATH of a non-interactive shell',
  });
}

async function workDirectoryCheck(context: TestContext): Promise<Finding> {
  const { connection, computer, signal } = context;
  const directory = workDirectory(connection, computer.config);
  try {
    await connection.makeDirectory(directory, { timeout: deadlines.command, signal });
    await run(context, `test -w ${quote(directory)}`);
  } catch (error) {
    throw new WherryError('permission-denied', `${directory} cannot be made or written`, {
      hint: `choose another: wherry computer edit ${computer.config.label} --work-directory DIR`,
      cause: error,
    });
  }
  const { stdout } = await run(context, `df -Pk ${quote(directory)} 2>/dev/null || true`);
  const free = Number(stdout.trim().split('\n').at(-1)?.split(/\s+/)[3] ?? Number.NaN) * 1024;
  if (!Number.isFinite(free)) return { detail: directory };
  const hint = free < 2 ** 30 ? 'less than 1 GiB is free' : undefined;
  return { detail: `${directory}, ${(free / 2 ** 30).toFixed(1)} GiB free`, hint };
}

/** A fresh place below the work directory, removed afterwards whatever happens. */
async function withScratch<T>(context: TestContext, work: (directory: string) => Promise<T>): Promise<T> {
  const { connection, computer, signal } = context;
  const directory = `${workDirectory(connection, computer.config)}/.wherry-test-${randomBytes(6).toString('hex')}`;
  try {
    return await work(directory);
  } finally {
    await connection.remove(directory, { timeout: deadlines.command, signal });
  }
}

async function fileThereAndBack(context: TestContext): Promise<Finding> {
  const { connection, signal } = context;
  const bounds = { timeout: deadlines.command, signal };
  return withScratch(context, async (directory) => {
    await connection.makeDirectory(directory, bounds);
    const content = randomBytes(4096);
    await connection.write(`${directory}/file with blank`, content, bounds);
    const back = await connection.read(`${directory}/file with blank`, { ...bounds, maxBytes: 2 ** 16 });
    if (back.equals(content)) return { detail: 'written, read back, the same' };
    throw new WherryError('transfer-incomplete', `wrote ${content.length} bytes and read ${back.length} others`);
  });
}

async function treeThereAndBack(context: TestContext): Promise<Finding> {
  const { connection, signal } = context;
  const bounds = { timeout: deadlines.transfer, signal };
  const sent = ['a.txt', 'folder/b.bin', 'folder/deep/ümlaut 名.txt'].map((name) => treeFile(name, randomBytes(2048)));
  const local = await mkdtemp(path.join(tmpdir(), 'wherry-test-'));
  try {
    return await withScratch(context, async (directory) => {
      await connection.upload(sent, directory, bounds);
      const found = (await connection.find(directory, [''], bounds)).filter(({ type }) => type === 'file');
      await connection.download(directory, found, local, bounds);
      for (const file of sent) {
        const back = await readFile(path.join(local, file.path));
        if (!back.equals(file.content))
          throw new WherryError('transfer-incomplete', `${file.path} came back different`);
      }
      return { detail: `${sent.length} files in folders up and down, the same` };
    });
  } finally {
    await rm(local, { recursive: true, force: true });
  }
}

function treeFile(name: string, content: Buffer): Extract<TreeEntry, { type: 'file' }> & { readonly content: Buffer } {
  const sha256 = createHash('sha256').update(content).digest('hex');
  return { type: 'file', path: name, size: content.length, sha256, content };
}

async function schedulerCommands(context: TestContext): Promise<Finding> {
  const { computer } = context;
  const names = computer.scheduler.commands;
  const script = names
    .map((name) => `command -v ${quote(name)} >/dev/null 2>&1 || echo ${quote(`missing ${name}`)}`)
    .join('\n');
  const { stdout } = await run(context, `${script}\n:`);
  const missing = [...stdout.matchAll(/^missing (.+)$/gm)].map(([, name]) => name);
  if (missing.length === 0) return { detail: names.join(', ') };
  const { label, transport } = computer.config;
  const login = transport === 'ssh' ? `; or try: wherry computer edit ${label} --connection loginShell=true` : '';
  throw new WherryError('command-failed', `not on the PATH: ${missing.join(', ')}`, {
    hint: `is ${computer.scheduler.name} the batch system of this computer? Put its commands on the PATH of a non-interactive shell${login}`,
  });
}

async function schedulerQueue({ computer, connection, signal }: TestContext): Promise<Finding> {
  const { scheduler } = computer;
  const command = scheduler.list({ ...queryContext(connection, computer), ids: [] });
  const jobs = [...scheduler.parseList(await runCommand(connection, command, signal))];
  return { detail: `answers; ${jobs.length === 1 ? '1 job' : `${jobs.length} jobs`} listed` };
}
