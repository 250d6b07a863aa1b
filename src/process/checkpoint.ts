import { messageOf, WherryError } from '../errors.js';

/** What a process needs to go on after a crash, beside its columns: versioned JSON. */
export interface Checkpoint {
  readonly version: number;
  readonly data: unknown;
}

/** Brings the data of an older version one version forward; the index is the version it starts from. */
export type Upgrade = (data: unknown) => unknown;

export function writeCheckpoint(version: number, data: unknown): string {
  return JSON.stringify({ version, data } satisfies Checkpoint);
}

/**
 * Reads a checkpoint and brings it to the present version. Throws `checkpoint-unreadable` when it is damaged or was
 * written by a later version.
 */
export function readCheckpoint(
  text: string,
  version: number,
  upgrades: Readonly<Record<number, Upgrade>> = {},
): unknown {
  const checkpoint = parse(text);
  if (checkpoint.version > version) {
    throw new WherryError(
      'checkpoint-unreadable',
      `the saved state has version ${checkpoint.version}, newer than ${version}`,
      {
        hint: 'a newer Wherry wrote it; install that version on all hosts',
      },
    );
  }
  let { data } = checkpoint;
  for (let from = checkpoint.version; from < version; from++) {
    const upgrade = upgrades[from];
    if (upgrade === undefined) {
      throw new WherryError('checkpoint-unreadable', `the saved state of version ${from} can no longer be read`);
    }
    data = upgrade(data);
  }
  return data;
}

function parse(text: string): Checkpoint {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && 'version' in value && 'data' in value) {
      if (Number.isInteger(value.version) && Number(value.version) >= 1)
        return { version: Number(value.version), data: value.data };
    }
  } catch (error) {
    throw new WherryError('checkpoint-unreadable', `the saved state is no JSON: ${messageOf(error)}`, { cause: error });
  }
  throw new WherryError('checkpoint-unreadable', 'the saved state has no version');
}
