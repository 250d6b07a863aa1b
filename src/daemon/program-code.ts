import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Which Wherry a program is. */
export interface ProgramCode {
  readonly version: string;
  /** Fingerprint of all files that can be loaded: a build of the same version may differ. */
  readonly code: string;
}

/** Reads version and fingerprint of the installed program, as its files are now. */
export function programCode(): ProgramCode {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const hash = createHash('sha256');
  for (const name of readdirSync(root, { recursive: true, encoding: 'utf8' }).sort()) {
    if (!name.endsWith('.js')) continue;
    hash.update(`${name}\0`).update(readFileSync(join(root, name)));
  }
  const description = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(description) as { version: string };
  return { version, code: hash.digest('hex').slice(0, 16) };
}

/** A sentence when the daemon is not the program that asks; undefined when they are the same. */
export function differenceOf(daemon: ProgramCode, own: ProgramCode): string | undefined {
  if (daemon.version !== own.version)
    return `the daemon runs version ${daemon.version}, this command is ${own.version}`;
  return daemon.code === own.code
    ? undefined
    : `the daemon runs other code of version ${own.version} than this command`;
}
