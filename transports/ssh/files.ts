import type { SFTPWrapper } from 'ssh2';
import {
  type BulkTransfer,
  type Exec,
  type FileOperations,
  messageOf,
  shellFiles,
  type TransferOptions,
  WherryError,
} from '../../src/plugin.js';
import { openSftp, type Session } from './channels.js';
import { isOpenSsh } from './internals.js';
import { bounded, type Scope, unlessAborted } from './scope.js';

/** Below this size the tar stream of one command is as fast and needs no further round trips. */
const minimumSize = 16 * 1024 * 1024;

/** File operations over `exec`, with SFTP for big files where the server offers it. */
export function filesOver(session: Session, exec: Exec, hasSftp: boolean): FileOperations {
  return shellFiles(exec, hasSftp ? { bulk: sftpBulk(session) } : {});
}

/** Does the server have an SFTP subsystem? Sites switch it off now and then. */
export async function offersSftp(session: Session, signal: AbortSignal): Promise<boolean> {
  try {
    (await openSftp(session, signal)).end();
    return true;
  } catch (error) {
    signal.throwIfAborted();
    if (session.lost.aborted || (error instanceof WherryError && error.transient)) throw error;
    return false;
  }
}

function sftpBulk(session: Session): BulkTransfer {
  const settings = {
    concurrency: 16,
    // OpenSSH takes requests of 256 KiB; others are only bound to take 32 KiB.
    chunkSize: (isOpenSsh(session.client) ? 255 : 32) * 1024,
  };
  return {
    minimumSize,
    put: (localFile, remotePath, options) =>
      transfer(session, `the upload of ${remotePath}`, options, (sftp, step, done) =>
        sftp.fastPut(localFile, remotePath, { ...settings, step }, done),
      ),
    get: (remotePath, localFile, options) =>
      transfer(session, `the download of ${remotePath}`, options, (sftp, step, done) =>
        sftp.fastGet(remotePath, localFile, { ...settings, step }, done),
      ),
  };
}

type Step = (total: number) => void;

function transfer(
  session: Session,
  what: string,
  options: TransferOptions,
  start: (sftp: SFTPWrapper, step: Step, done: (error?: Error | null) => void) => void,
): Promise<void> {
  const { timeout, signal, maxBytes, onProgress } = options;
  const run = async (scope: Scope) => {
    const sftp = await openSftp(session, scope.signal);
    const step = (total: number) => {
      scope.progress();
      onProgress?.(total);
      if (maxBytes !== undefined && total > maxBytes) {
        scope.stop(new WherryError('output-too-large', `${what} is larger than ${maxBytes} bytes`));
      }
    };
    const done = new Promise<void>((resolve, reject) => {
      sftp.on('error', reject);
      start(sftp, step, (error) => (error ? reject(sftpError(error, what)) : resolve()));
    });
    try {
      // A call on a dead connection is never answered.
      await unlessAborted(scope.signal, done);
    } finally {
      sftp.end();
    }
  };
  return bounded({ what, timeout, signal, lost: session.lost }, run);
}

/** SFTP status codes: 2 no such file, 3 permission denied; others say no more than their text. */
function sftpError(error: Error & { code?: number | string }, what: string): WherryError {
  const message = `${what} failed: ${messageOf(error)}`;
  if (error.code === 2) return new WherryError('file-missing', message, { cause: error });
  if (error.code === 3) return new WherryError('permission-denied', message, { cause: error });
  if (/no space|quota/i.test(error.message) || error.code === 'ENOSPC') {
    return new WherryError('disk-full', message, { hint: 'make room, then try again', cause: error });
  }
  return new WherryError('transfer-incomplete', message, { transient: true, cause: error });
}
