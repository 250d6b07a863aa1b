import { homedir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { type CodeConfig, codeSchema } from './code.js';
import { readCheckedDocument } from './document.js';
import { issueAt, issuesError, type Origin } from './issues.js';
import { jobPath } from './job-text.js';
import { collectFiles, mostEntries, type ResolvedFile, UnusableFile } from './local-files.js';
import { nearestFile, readTextFile } from './text-file.js';
import { withoutDefaults, writeYaml } from './yaml-writing.js';

export interface CodeFile {
  /** Its folder, if it has one, as an absolute path. */
  readonly config: CodeConfig;
  /** For later checks of the same code. */
  readonly origin: Origin;
}

/** Reads a code file (`-`: standard input); its folder is looked for from the folder of the file. */
export async function readCodeFile(path: string): Promise<CodeFile> {
  const source = path === '-' ? 'standard input' : path;
  const { value, origin } = readCheckedDocument(await readTextFile(path), { source, schema: codeSchema });
  return { config: withFolder(value, path === '-' ? process.cwd() : dirname(resolve(path))), origin };
}

/** The code with its folder as an absolute path. */
export function withFolder(config: CodeConfig, baseDirectory: string): CodeConfig {
  if (config.folder === undefined) return config;
  return {
    ...config,
    folder: resolve(
      baseDirectory,
      config.folder.replace(/^~(?=\/|$)/, () => homedir()),
    ),
  };
}

/** The YAML text of a code, without what is default; it reads back to the same value. */
export function writeCode(config: CodeConfig): string {
  const { label, computer, executable, folder, image, engine } = config;
  const always = { label, computer, executable, folder, image, engine };
  return writeYaml(withoutDefaults(config, always, codeSchema.parse(always), Object.keys(codeSchema.shape)));
}

/** Every file of a portable code's folder, the executable with the right to be run; none for other codes. */
export async function filesOfFolder(config: CodeConfig, origin: Origin = { source: '' }): Promise<ResolvedFile[]> {
  const { folder, executable } = config;
  if (folder === undefined) return [];
  const refusal = (path: string, message: string) => issuesError(origin.source, [issueAt(origin, [path], message)]);
  let files: ResolvedFile[];
  try {
    files = await collectFiles(folder, 'folder', { left: mostEntries });
  } catch (error) {
    if (!(error instanceof UnusableFile)) throw error;
    const hint = error.missing ? `: ${JSON.stringify(folder)}${await nearestFile(folder)}` : '';
    throw refusal('folder', error.message + hint);
  }
  if (files[0]?.path === 'folder') throw refusal('folder', 'is a file, not a folder');
  const sent = files.map((file) => ({ ...file, path: file.path.slice('folder/'.length) }));
  const unusable = sent.find(({ path }) => !jobPath.safeParse(path).success);
  if (unusable !== undefined) throw refusal('folder', `has ${JSON.stringify(unusable.path)}, which cannot be sent`);
  if (!sent.some(({ path }) => path === executable)) throw refusal('executable', `is no file in ${folder}`);
  return sent.map((file) => (file.path === executable ? { ...file, mode: 0o755 } : file));
}
