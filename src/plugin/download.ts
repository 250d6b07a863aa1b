import { stat } from 'node:fs/promises';
import { WherryError } from '../errors.js';
import type { BulkTransfer } from './bulk.js';
import { Extractor, incomplete, SafeFolder } from './extract.js';
import { fileFailure } from './failure.js';
import { checkAbsolutePath, checkRelativePath } from './paths.js';
import { Progress } from './progress.js';
import { enter, overNames, scriptStart } from './script.js';
import type { Exec, ExecResult, RemoteEntry, TransferOptions } from './transport.js';

/** Fetches exactly these files as `FileOperations.download` promises: one tar stream, and `bulk` for the large ones. */
export async function download(
  exec: Exec,
  bulk: BulkTransfer | undefined,
  directory: string,
  files: readonly RemoteEntry[],
  localDirectory: string,
  options: TransferOptions,
): Promise<void> {
  const start = checkAbsolutePath(directory);
  for (const file of files) checkAsked(file);
  const { maxBytes = Number.POSITIVE_INFINITY } = options;
  if (files.reduce((sum, file) => sum + file.size, 0) > maxBytes) {
    throw new WherryError('output-too-large', `the files have more than the allowed ${maxBytes} bytes`, {
      hint: 'ask for fewer files or raise the limit',
    });
  }
  using progress = new Progress(options);
  const isLarge = (file: RemoteEntry) => bulk !== undefined && file.size >= bulk.minimumSize;
  await fetchSmall(
    exec,
    progress,
    start,
    files.filter((file) => !isLarge(file)),
    localDirectory,
  );
  const folder = new SafeFolder(localDirectory);
  for (const file of files.filter(isLarge)) {
    const place = await folder.place(file.path);
    await progress.step(async (bounds) => bulk?.get(`${start}/${file.path}`, place, bounds));
    const { size } = await stat(place);
    if (size !== file.size) throw incomplete(file.path, 'has changed its size');
  }
}

async function fetchSmall(
  exec: Exec,
  progress: Progress,
  directory: string,
  files: readonly RemoteEntry[],
  localDirectory: string,
): Promise<void> {
  if (files.length === 0) return;
  // GNU tar reads a backslash in a name as the start of an escape; other tars do neither that nor know the option.
  const asWritten = files.some((file) => file.path.includes('\\'))
    ? 'verbatim=--no-unquote; tar $verbatim --version >/dev/null 2>&1 || verbatim=\nexport verbatim\n'
    : 'verbatim=; export verbatim\n';
  // Several archives after one another, when the names do not fit into one command, are read like one.
  const names = files.map((file) => `./${file.path}`);
  const { run, stdin } = overNames(names, (words) => `tar $verbatim -chf - ${words}`);
  const script = `${scriptStart}${enter(directory)}${asWritten}${run}`;
  const extractor = new Extractor(files, localDirectory, (bytes) => progress.add(bytes));
  try {
    const result = await progress.run(exec, script, {
      ...stdin,
      onStdout: async (chunk) => {
        try {
          await extractor.write(chunk);
        } catch (error) {
          throw progress.fail(error);
        }
      },
    });
    if (result.exitCode !== 0) throw fetchFailure(result, directory, script);
    await extractor.end();
  } catch (error) {
    await extractor.abandon();
    throw error;
  }
}

/** A file that is gone or changes while it is read makes the transfer incomplete: a new listing will tell. */
function fetchFailure(result: ExecResult, directory: string, script: string): WherryError {
  const failure = fileFailure(result, `fetch files of ${directory}`, script);
  const isChange = /file changed as we read it|File shrank|File removed before we read it|short read/.test(
    result.stderr,
  );
  if (failure.code !== 'file-missing' && failure.code !== 'file-exists' && !isChange) return failure;
  return new WherryError('transfer-incomplete', failure.message, {
    transient: true,
    hint: 'something still writes in that directory; it is listed and fetched again',
    cause: failure,
  });
}

function checkAsked(file: RemoteEntry): void {
  checkRelativePath(file.path);
  if (file.type !== 'file') {
    throw new WherryError('bad-input', `${JSON.stringify(file.path)} is no file and cannot be fetched`);
  }
}
