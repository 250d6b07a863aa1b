import type { Readable } from 'node:stream';
import type { z } from 'zod';

export interface ExecOptions {
  /** Absolute directory to run in. */
  readonly directory?: string;
  /** What the command reads; nothing (end of file at once) when absent. */
  readonly stdin?: string | Uint8Array | Readable;
  /** Takes stdout as it comes, with back-pressure; `result.stdout` is then empty. Throwing stops the command. */
  readonly onStdout?: (chunk: Buffer) => void | Promise<void>;
  /** Milliseconds from the call to the end of the command. */
  readonly timeout: number;
  readonly signal?: AbortSignal;
  /** Most bytes kept of stdout and of stderr each; more is an `output-too-large` error. Default 16 MiB. */
  readonly maxOutput?: number;
}

export interface ExecResult {
  /** Decoded as UTF-8, bad bytes replaced. */
  readonly stdout: string;
  readonly stderr: string;
  /** Null when a signal ended the command. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly durationMs: number;
  /** The beginning of what start-up files of the login shell printed before the command; it is in no other field. */
  readonly noise?: string;
}

/** Bounds of one transfer. */
export interface TransferOptions {
  /** Milliseconds without any progress after which the transfer fails. */
  readonly timeout: number;
  readonly signal?: AbortSignal;
  /** Most bytes in all; more is an `output-too-large` error. */
  readonly maxBytes?: number;
  readonly onProgress?: (bytes: number) => void;
}

/** One thing to send. Paths are relative, with `/`, without `.`, `..` or NUL. */
export type TreeEntry =
  | {
      readonly type: 'file';
      readonly path: string;
      readonly size: number;
      /** Lower-case hex of the content; verified on the computer. */
      readonly sha256: string;
      /** Default 0o644. */
      readonly mode?: number;
      /** The bytes, or the local file that holds them. */
      readonly content: Uint8Array | { readonly file: string };
    }
  | { readonly type: 'directory'; readonly path: string }
  | { readonly type: 'symlink'; readonly path: string; readonly target: string };

/** One thing found on the computer. */
export interface RemoteEntry {
  /** Relative to the directory that was asked about. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'other';
  /** Bytes. */
  readonly size: number;
  readonly mode: number;
  /** Milliseconds since the epoch. */
  readonly modifiedAt: number;
}

/** File operations of a connection; all paths on the computer are absolute unless said otherwise. */
export interface FileOperations {
  /**
   * Sends a tree so that `directory` appears complete or not at all: into `<directory>.part`, verified by hash, renamed.
   * Parents are made. Fails with `file-exists` when `directory` exists.
   */
  upload(tree: readonly TreeEntry[], directory: string, options: TransferOptions): Promise<void>;
  /**
   * What stands at and below `roots` (relative to `directory`; '' or '.' is all of it). A root that does not exist is
   * left out; a root that is a link is followed, links below it are reported as links and not followed.
   * Names that are not UTF-8 are left out. At most `maxEntries` (default 1 000 000), else `output-too-large`.
   */
  find(
    directory: string,
    roots: readonly string[],
    options: TransferOptions & { readonly maxDepth?: number; readonly maxEntries?: number },
  ): Promise<RemoteEntry[]>;
  /**
   * Brings exactly these files (as `find` gave them) into the existing local directory, keeping their relative paths.
   * Fails with `transfer-incomplete` when one is missing or its size differs. Never writes outside `localDirectory`,
   * never makes links.
   */
  download(
    directory: string,
    files: readonly RemoteEntry[],
    localDirectory: string,
    options: TransferOptions,
  ): Promise<void>;
  stat(path: string, options: TransferOptions): Promise<RemoteEntry>;
  read(path: string, options: TransferOptions & { readonly maxBytes: number }): Promise<Buffer>;
  /** Through a temporary file and a rename. */
  write(path: string, content: string | Uint8Array, options: TransferOptions): Promise<void>;
  /** With parents; no error when it exists. */
  makeDirectory(path: string, options: TransferOptions): Promise<void>;
  rename(from: string, to: string, options: TransferOptions): Promise<void>;
  /** The file or tree; no error when it does not exist. */
  remove(path: string, options: TransferOptions): Promise<void>;
  symlink(target: string, path: string, options: TransferOptions): Promise<void>;
  copy(from: string, to: string, options: TransferOptions): Promise<void>;
  changeMode(path: string, mode: number, options: TransferOptions): Promise<void>;
}

export type Exec = (script: string, options: ExecOptions) => Promise<ExecResult>;

/** An open connection to one computer. */
export interface Connection extends FileOperations, AsyncDisposable {
  /** Login name and home directory on the computer. */
  readonly user: string;
  readonly home: string;
  /**
   * Runs POSIX shell text by `/bin/sh` on the computer, whatever the login shell is. Resolves however the command
   * ended; rejects with `timed-out`, `aborted`, `connection-lost`, `output-too-large` or `back-pressure`.
   */
  readonly exec: Exec;
  /** Aborted, with the error as its reason, once the connection is lost or closed. */
  readonly lost: AbortSignal;
  /** Idempotent; returns when everything is released. */
  close(): Promise<void>;
}

export interface OpenOptions {
  /** Milliseconds until it must be ready. */
  readonly timeout: number;
  readonly signal?: AbortSignal;
}

export interface TransportDefinition<Settings = unknown> {
  readonly name: string;
  /** The computer's `connection` mapping; strict. */
  readonly connection: z.ZodType<Settings>;
  /** Defaults of limits for computers reached this way. Milliseconds. */
  readonly defaults: { readonly minPollInterval: number; readonly safeOpenInterval: number };
  /** A line that a person can paste to get a shell in `directory` on the computer. */
  gotoCommand(settings: Settings, directory: string): string;
  open(settings: Settings, options: OpenOptions): Promise<Connection>;
  /**
   * For transports that do not lead from everywhere to the same computer: the host from which alone it can be reached;
   * undefined when any will do. Where several hosts share a profile, drivers of the others leave it alone.
   */
  onlyFrom?(settings: Settings): string | undefined;
}

/** Declares a transport plugin. */
export function defineTransport<Settings>(definition: TransportDefinition<Settings>): TransportDefinition<Settings> {
  return definition;
}
