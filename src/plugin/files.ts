import { randomBytes } from 'node:crypto';
import { WherryError } from '../errors.js';
import type { BulkTransfer } from './bulk.js';
import { download } from './download.js';
import { exitCodes, fileFailure } from './failure.js';
import { find, stat } from './find.js';
import { checkAbsolutePath } from './paths.js';
import { Progress } from './progress.js';
import { scriptStart } from './script.js';
import { quote } from './shell.js';
import type { Exec, ExecOptions, ExecResult, FileOperations, TransferOptions } from './transport.js';
import { upload } from './upload.js';

export type { BulkTransfer } from './bulk.js';

/**
 * All file operations of a connection, made of nothing but its `exec`. The computer needs a POSIX shell, GNU or busybox
 * tools and, for `find` and `stat`, GNU find. Every operation is one command, whatever the number of files.
 *
 * Errors: `file-missing`, `file-exists`, `permission-denied`, `disk-full`, `transfer-incomplete` (transient),
 * `unsafe-path`, `output-too-large`, `timed-out`, `aborted`, what `exec` throws, and else `command-failed`.
 *
 * @example
 * const files = shellFiles(exec);
 * await files.write('/scratch/me/note.txt', 'hello\n', { timeout: 10_000 });
 */
export function shellFiles(exec: Exec, { bulk }: { readonly bulk?: BulkTransfer } = {}): FileOperations {
  return {
    upload: (tree, directory, options) => upload(exec, bulk, tree, directory, options),
    find: (directory, roots, options) => find(exec, directory, roots, options),
    download: (directory, files, local, options) => download(exec, bulk, directory, files, local, options),
    stat: (path, options) => stat(exec, path, options),
    read: (path, options) => read(exec, path, options),
    write: (path, content, options) => write(exec, path, content, options),

    async makeDirectory(path, options) {
      await change(exec, `make the directory ${path}`, `mkdir -p ${quote(checkAbsolutePath(path))}`, options);
    },

    async rename(from, to, options) {
      const [source, target] = [checkAbsolutePath(from, 2), checkAbsolutePath(to, 2)];
      const script = `${refuseExisting(target)}mv -T ${quote(source)} ${quote(target)}`;
      await change(exec, `rename ${from} to ${to}`, script, options);
    },

    async remove(path, options) {
      await change(exec, `remove ${path}`, `rm -rf ${quote(checkAbsolutePath(path, 2))}`, options);
    },

    async symlink(target, path, options) {
      const place = checkAbsolutePath(path, 2);
      await change(
        exec,
        `make the link ${path}`,
        `${refuseExisting(place)}ln -sn -- ${quote(target)} ${quote(place)}`,
        options,
      );
    },

    async copy(from, to, options) {
      const [source, target] = [checkAbsolutePath(from), checkAbsolutePath(to, 2)];
      const part = quote(`${target}.part`);
      // Neither owners nor times are kept, so that the group of the new place holds (group quotas hang on it).
      const script = `${refuseExisting(target)}rm -rf ${part}
cp -RH ${quote(source)} ${part} || { rm -rf ${part}; exit 1; }
mv -T ${part} ${quote(target)}`;
      await change(exec, `copy ${from} to ${to}`, script, options);
    },

    async changeMode(path, mode, options) {
      if (!Number.isInteger(mode) || mode < 0 || mode > 0o7777) {
        throw new WherryError('bad-input', `${mode} is no file mode`, { hint: 'use 0o644, for example' });
      }
      const script = `chmod ${mode.toString(8).padStart(4, '0')} ${quote(checkAbsolutePath(path))}`;
      await change(exec, `change the mode of ${path}`, script, options);
    },
  };
}

function refuseExisting(path: string): string {
  return `if [ -e ${quote(path)} ] || [ -L ${quote(path)} ]; then exit ${exitCodes.exists}; fi\n`;
}

/** One command; where it prints nothing it shows no progress, and all of it must end within the timeout. */
async function change(
  exec: Exec,
  action: string,
  body: string,
  options: TransferOptions,
  input: Omit<ExecOptions, 'timeout' | 'signal'> = {},
): Promise<ExecResult> {
  const script = scriptStart + body;
  using progress = new Progress(options);
  const result = await progress.run(exec, script, {
    ...input,
    onStdout: (chunk) => {
      progress.add(chunk.length);
      return input.onStdout?.(chunk);
    },
  });
  if (result.exitCode !== 0) throw fileFailure(result, action, script);
  return result;
}

async function read(
  exec: Exec,
  path: string,
  options: TransferOptions & { readonly maxBytes: number },
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const place = quote(checkAbsolutePath(path));
  // A pipe or a device might never end, and nothing that we write is one.
  const script = `if [ -e ${place} ] && [ ! -f ${place} ]; then echo 'it is no file: Is a directory' >&2; exit 1; fi
head -c ${Math.trunc(options.maxBytes) + 1} ${place}`;
  await change(exec, `read ${path}`, script, options, { onStdout: (chunk) => void chunks.push(chunk) });
  return Buffer.concat(chunks);
}

async function write(exec: Exec, path: string, content: string | Uint8Array, options: TransferOptions): Promise<void> {
  const target = checkAbsolutePath(path, 2);
  const bytes = Buffer.from(content);
  // Counted, since a lost connection can look like the end of the content.
  const script = `part=${quote(`${target}.${randomBytes(6).toString('hex')}.part`)}
trap 'status=$?; rm -f "$part"; exit $status' EXIT
cat >"$part"
[ "$(wc -c <"$part")" -eq ${bytes.length} ] || exit ${exitCodes.incomplete}
mv -fT "$part" ${quote(target)}`;
  await change(exec, `write ${path}`, script, options, { stdin: bytes });
}
