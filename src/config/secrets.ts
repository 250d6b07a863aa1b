import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { InputError } from '../errors.js';
import { readDocument } from './document.js';
import type { ProfileLocation } from './home.js';
import { visible } from './issues.js';
import { writePrivately } from './profile-file.js';
import { readTextFile } from './text-file.js';

const password = z.string().min(1);

const secretsSchema = z.strictObject({ store: password.optional(), broker: password.optional() });

/** Passwords of the services of a profile. */
export type Secrets = z.output<typeof secretsSchema>;

const variables = { store: 'WHERRY_STORE_PASSWORD', broker: 'WHERRY_BROKER_PASSWORD' } as const;

/** The file with the passwords of a profile. */
export function secretsFile({ directory }: Pick<ProfileLocation, 'directory'>): string {
  return join(directory, 'secrets.yaml');
}

/**
 * The passwords of a profile: from the environment, else from `secrets.yaml`, which only its owner may read.
 * Errors: `bad-input` for a file that others can read, or that cannot be understood.
 */
export async function readSecrets(
  location: Pick<ProfileLocation, 'directory'>,
  environment: NodeJS.ProcessEnv,
): Promise<Secrets> {
  const stored = await readStored(secretsFile(location));
  const given = Object.entries(variables).flatMap(([key, name]) => {
    const value = environment[name];
    return value === undefined || value === '' ? [] : [[key, value]];
  });
  return { ...stored, ...Object.fromEntries(given) };
}

async function readStored(file: string): Promise<Secrets> {
  if (!existsSync(file)) return {};
  const others = statSync(file).mode & 0o077;
  if (others !== 0) {
    throw new InputError(`${visible(file)} holds passwords and may be read by others`, [], {
      hint: `run: chmod 600 ${visible(file)}; then change the passwords`,
    });
  }
  return readDocument(await readTextFile(file), { source: file, schema: secretsSchema });
}

/** Adds passwords to the file; what it has and is not named stays. */
export async function writeSecrets(location: Pick<ProfileLocation, 'directory'>, secrets: Secrets): Promise<void> {
  const file = secretsFile(location);
  const all = { ...(await readStored(file)), ...secrets };
  await writePrivately(file, stringify(all, { lineWidth: 0 }));
}
