import { randomBytes } from 'node:crypto';
import { describe } from 'vitest';
import type { Connection } from '../../src/plugin.js';
import { execConformance } from './transport-exec.js';
import { fileConformance } from './transport-files.js';
import { transferConformance } from './transport-transfer.js';

/** Opens a connection, and names an empty directory on the computer (absolute) that the tests may fill. */
export type OpenForTest = () => Promise<{ readonly connection: Connection; readonly root: string }>;

/**
 * Registers tests of every promise that the contract of transports makes. The computer must be a Linux with GNU tools.
 *
 * @example
 * transportConformance('local', async () => ({ connection: await local.open({}, { timeout: 1000 }), root }));
 */
export function transportConformance(name: string, open: OpenForTest): void {
  // Generous, for computers far away and machines under load.
  describe(`transport ${name}`, { timeout: 60_000 }, () => {
    execConformance(open);
    fileConformance(open);
    transferConformance(open);
  });
}

/** Names that have broken programs before, each one part of a path. */
export const oddNames = [
  'with blanks  two',
  "single'quote",
  'double"quote',
  '$(touch injected)',
  '`touch injected`',
  '$HOME',
  'new\nline',
  'carriage\rreturn',
  'back\\slash',
  'back\\nslash-n',
  '-rf',
  '--help',
  '*',
  '[a]?',
  '~',
  'Grüße, 世界 🚢',
  ' leading and trailing ',
  'tab\there',
  ';&|<>',
  '#comment',
  '!history',
  '\u0001control',
];

/** A name that no other test uses. */
export function freshName(): string {
  return `test-${randomBytes(6).toString('hex')}`;
}
