import { type CodeConfig, type CodeKind, kindOf } from '../config/code.js';
import type { Code } from './codes.js';
import type { FileView } from './data-views.js';
import { isoTime } from './views.js';

/** What `code show --json` tells. Times are ISO 8601. */
export interface CodeView {
  readonly name: string;
  readonly uuid: string;
  readonly kind: CodeKind;
  readonly config: CodeConfig;
  /** What is sent with each job. */
  readonly files: readonly FileView[];
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** A code as other programs see it. */
export function codeView({ row, name, config, files }: Code): CodeView {
  return {
    ...{ name, uuid: row.uuid, kind: kindOf(config), config },
    files: files.map(({ path, size, sha256, mode }) => ({ path, size, sha256, mode })),
    createdAt: isoTime(row.created_at),
    updatedAt: isoTime(row.updated_at),
  };
}
