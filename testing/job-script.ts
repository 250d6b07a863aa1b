import type { MemoryFiles } from './memory-files.js';
import { shellWords } from './shell-words.js';

/** What a program does on a simulated computer. */
export interface ProgramRun {
  readonly seconds: number;
  readonly exitCode: number;
  readonly stdout?: string;
}

/** A program by the words of its command line, the first of them its name. */
export type Program = (words: readonly string[]) => ProgramRun;

/** What a job script does, as far as a simulated computer has to know. */
export interface JobScript {
  /** Empty where it names none. */
  readonly directory: string;
  /** The link by which a job claims its directory. */
  readonly claim: string | undefined;
  readonly exitFile: string | undefined;
  readonly words: readonly string[];
  readonly stdout: string | undefined;
  readonly stderr: string | undefined;
}

/** `simulate --seconds 30 --exit 3 --say text` takes its time, prints and ends. */
export const simulate: Program = (words) => {
  const after = (option: string) => {
    const at = words.indexOf(option);
    return at < 0 ? undefined : words[at + 1];
  };
  const said = after('--say');
  return {
    seconds: Number(after('--seconds') ?? 1),
    exitCode: Number(after('--exit') ?? 0),
    ...(said === undefined ? {} : { stdout: `${said}\n` }),
  };
};

/** Reads a job script: it is recognised line by line and not run by a shell. */
export function readJobScript(text: string, programs: ReadonlySet<string>): JobScript {
  const lines = text.split('\n');
  const run = lines.map((line) => shellWords(line)).find(([name = '']) => programs.has(name)) ?? [];
  const redirection = run.findIndex((word) => word === '<' || word === '>');
  const after = (sign: string) => (run.includes(sign) ? run[run.indexOf(sign) + 1] : undefined);
  return {
    directory: shellWords(/^cd -- (.*) \|\| exit 1$/m.exec(text)?.[1] ?? '')[0] ?? '',
    claim: /^if ! ln -s \S+ (\S+) 2>\/dev\/null &&/m.exec(text)?.[1],
    exitFile: /^ +printf .*wherry_status.* > (\S+?)(?:\.part && .*)?$/m.exec(text)?.[1],
    words: redirection < 0 ? run : run.slice(0, redirection),
    stdout: after('>'),
    stderr: after('2>'),
  };
}

/**
 * The first act of a job: into its directory, which it claims.
 * @returns `ours` when it goes on; `foreign` when another job has the directory; `missing` when there is none
 */
export function claimDirectory(files: MemoryFiles, script: JobScript, jobId: string): 'ours' | 'foreign' | 'missing' {
  if (script.directory === '') return 'ours';
  if (!files.exists(script.directory)) return 'missing';
  if (script.claim !== undefined) {
    const claim = `${script.directory}/${script.claim}`;
    const holder = files.linkTarget(claim);
    if (holder !== undefined && holder !== jobId) return 'foreign';
    if (holder === undefined) files.symlink(jobId, claim);
  }
  if (script.exitFile !== undefined) files.remove(`${script.directory}/${script.exitFile}`);
  return 'ours';
}

/** The last acts of a job: its output, and the exit code in its file. */
export function leaveResults(files: MemoryFiles, script: JobScript, exitCode: number, stdout: string): void {
  const { directory } = script;
  if (directory === '' || !files.exists(directory)) return;
  if (script.stdout !== undefined) files.write(join(directory, script.stdout), stdout);
  if (script.stderr !== undefined) files.write(join(directory, script.stderr), '');
  if (script.exitFile !== undefined) files.write(join(directory, script.exitFile), `${exitCode}\n`);
}

function join(directory: string, name: string): string {
  return `${directory}/${name.replace(/^\.\//, '')}`;
}
