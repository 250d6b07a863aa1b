import type { Readable } from 'node:stream';
import type { BulkTransfer } from './bulk.js';
import { exitCodes, fileFailure } from './failure.js';
import { type PackedEntry, packTree } from './pack.js';
import { checkAbsolutePath, checkTree, parentOf } from './paths.js';
import { Progress } from './progress.js';
import { scriptStart } from './script.js';
import { quote } from './shell.js';
import type { Exec, TransferOptions, TreeEntry } from './transport.js';

type FileEntry = Extract<TreeEntry, { type: 'file' }>;
type LocalFile = FileEntry & { readonly content: { readonly file: string } };

/**
 * Sends a tree as `FileOperations.upload` promises. Everything goes into `<directory>.part`: the tree itself into
 * `tree`, and beside it what is needed to complete and verify it. All of it is one tar stream into one command, but for
 * files so large that `bulk` brings them faster.
 */
export async function upload(
  exec: Exec,
  bulk: BulkTransfer | undefined,
  tree: readonly TreeEntry[],
  directory: string,
  options: TransferOptions,
): Promise<void> {
  const target = checkAbsolutePath(directory, 2);
  checkTree(tree);
  using progress = new Progress(options);
  const isLarge = (entry: TreeEntry): entry is LocalFile =>
    bulk !== undefined && entry.type === 'file' && 'file' in entry.content && entry.size >= bulk.minimumSize;
  const large = tree.filter(isLarge);
  const packed = tree.flatMap((entry): PackedEntry[] =>
    entry.type === 'directory' || isLarge(entry) ? [] : [{ ...entry, path: `tree/${entry.path}` }],
  );
  const bytes = tree.reduce((sum, entry) => sum + (entry.type === 'file' ? entry.size : 0), 0);

  const beside = completion(tree, large);
  const stdin = packTree([...packed, ...beside], {
    onBytes: (entry, moved) => progress.add(beside.includes(entry) ? 0 : moved),
    onEnd: () => progress.allow(bytes),
    onFailure: (error) => progress.fail(error),
  });
  try {
    await run(large.length === 0 ? unpackScript(target) + finishScript(target) : unpackScript(target), { stdin });
  } finally {
    stdin.destroy();
  }
  if (large.length === 0) return;
  for (const entry of large) {
    const remotePath = `${target}.part/tree/${entry.path}`;
    await progress.step(async (bounds) => bulk?.put(entry.content.file, remotePath, bounds));
  }
  progress.allow(bytes);
  await run(scriptStart + cleanUpScript(target) + finishScript(target));

  async function run(script: string, input: { stdin?: Readable } = {}): Promise<void> {
    const result = await progress.run(exec, script, input);
    if (result.exitCode !== 0) throw fileFailure(result, `send ${directory}`, script);
  }
}

/**
 * The files beside the tree. `manifest` is for `sha256sum -c`, `finish` a script that checks what a manifest cannot
 * name (line ends, which GNU and busybox escape differently), checks large files and sets modes, `directories` what else to make. The
 * manifest comes last: where it has arrived, everything before it has.
 */
function completion(tree: readonly TreeEntry[], large: readonly LocalFile[]): PackedEntry[] {
  const files = tree.filter((entry) => entry.type === 'file');
  const isPlain = (entry: FileEntry) => !/[\n\r\\]/.test(entry.path) && !large.includes(entry as LocalFile);
  const manifest = files.filter(isPlain).map((entry) => `${entry.sha256}  ./${entry.path}\n`);
  const checks = files.filter((entry) => !isPlain(entry)).map((entry) => checkLine(entry));
  const modes = large.map((entry) => `chmod ${(entry.mode ?? 0o644).toString(8)} ${quote(`./${entry.path}`)}\n`);
  // The archive makes the directories above what it holds.
  const made = new Set(tree.flatMap((entry) => (isPacked(entry, large) ? ancestorsOf(entry.path) : [])));
  const directories = [
    ...tree.filter((entry) => entry.type === 'directory').map((entry) => entry.path),
    ...large.map((entry) => parentOf(`/${entry.path}`).slice(1)),
  ].filter((path) => path !== '' && !made.has(path));
  return [
    besideTree('directories', directories.map((path) => `./${path}\0`).join('')),
    besideTree('finish', [...checks, ...modes].join('')),
    besideTree('manifest', manifest.join('')),
  ];
}

function isPacked(entry: TreeEntry, large: readonly TreeEntry[]): boolean {
  return entry.type === 'symlink' || (entry.type === 'file' && !large.includes(entry));
}

/** `a` and `a/b` for `a/b/c`. */
function ancestorsOf(path: string): string[] {
  const segments = path.split('/').slice(0, -1);
  return segments.map((_, index) => segments.slice(0, index + 1).join('/'));
}

function checkLine(entry: FileEntry): string {
  const path = quote(`./${entry.path}`);
  return `sha256 ${path}; [ "$hash" = ${entry.sha256} ] || failed ${path}\n`;
}

function besideTree(path: string, text: string): PackedEntry {
  const content = Buffer.from(text);
  return { type: 'file', path, size: content.length, mode: 0o600, content };
}

const cleanUpScript = (target: string): string => `\
target=${quote(target)}
part=${quote(`${target}.part`)}
trap 'status=$?; cd /; rm -rf "$part"; exit $status' EXIT
`;

/** Owners and times are not kept, modes are; directories get theirs from the computer (group quotas hang on it). */
const unpackScript = (target: string): string => `\
${scriptStart}target=${quote(target)}
part=${quote(`${target}.part`)}
if [ -e "$target" ] || [ -L "$target" ]; then exit ${exitCodes.exists}; fi
if [ -e "$part" ] || [ -L "$part" ]; then rm -rf "$part"; fi
mkdir -p "$part/tree"
trap 'status=$?; if [ $status != 0 ]; then cd /; rm -rf "$part"; fi; exit $status' EXIT
cd "$part"
tar -xmopf - || exit ${exitCodes.incomplete}
[ -f manifest ] || exit ${exitCodes.incomplete}
cd tree
[ ! -s ../directories ] || xargs -0 mkdir -p <../directories
`;

/** `openssl` hashes several times as fast as the plain C of most `sha256sum`s; large files are worth the asking. */
const finishScript = (target: string): string => `\
cd "$part/tree"
sha256() {
  hash=$(openssl dgst -sha256 -r <"$1" 2>/dev/null | cut -c 1-64)
  [ "\${#hash}" = 64 ] || hash=$(sha256sum <"$1" | cut -c 1-64)
}
failed() { printf '%s: FAILED\\n' "$1" >&2; exit ${exitCodes.incomplete}; }
if [ -s ../manifest ]; then
  checked=$(sha256sum -c ../manifest 2>&1) || {
    status=$?
    printf '%s\\n' "$checked" | grep -v ': OK$' | head -n 5 >&2
    [ $status != 1 ] || status=${exitCodes.incomplete}
    exit $status
  }
fi
. ../finish
if [ -e "$target" ] || [ -L "$target" ]; then exit ${exitCodes.exists}; fi
cd /
mv -T "$part/tree" ${quote(target)}
exec rm -rf "$part"
`;
