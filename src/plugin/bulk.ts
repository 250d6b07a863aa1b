import type { TransferOptions } from './transport.js';

/**
 * A faster way for one big file, which a transport may have (SFTP with many requests in flight, say). `onProgress` is
 * told the bytes of this file so far. Whatever it does wrong is found out: sizes and hashes are checked afterwards.
 */
export interface BulkTransfer {
  /** Bytes from which on a file goes this way. */
  readonly minimumSize: number;
  /** Makes or overwrites a file in an existing directory of the computer. */
  put(localFile: string, remotePath: string, options: TransferOptions): Promise<void>;
  /** Makes or overwrites a file in an existing local directory. */
  get(remotePath: string, localFile: string, options: TransferOptions): Promise<void>;
}
