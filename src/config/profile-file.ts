import { existsSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { WherryError } from '../errors.js';
import { daemonSettingsSchema } from './daemon-settings.js';
import { readDocument } from './document.js';
import type { ProfileLocation } from './home.js';
import { parseServiceUrl, type Service, services } from './service-url.js';
import { readTextFile } from './text-file.js';

const directory = z.string().refine(isAbsolute, 'must be an absolute directory');

/** What the file `profile.yaml` in the directory of a profile may say; a profile without one is all default. */
const profileSchema = z.strictObject({
  /** URL of a PostgreSQL database; default: SQLite in the directory of the profile. */
  store: serviceUrl(services.store).optional(),
  /** URL of RabbitMQ; default: the programs of this host speak to each other directly. */
  broker: serviceUrl(services.broker).optional(),
  /** Directory that all hosts of the profile share; default: in the directory of the profile. */
  repository: directory.optional(),
  daemon: daemonSettingsSchema.optional(),
  /** Modules with definitions of processes: files from the directory of the profile, or packages. */
  modules: z.array(moduleName()).optional(),
});

export type ProfileSettings = z.output<typeof profileSchema>;

function serviceUrl(service: Service) {
  return z.string().superRefine((text, context) => {
    try {
      if (parseServiceUrl(text, service).password === undefined) return;
      const message = 'must not have a password in it: it belongs into secrets.yaml or the environment';
      context.addIssue({ code: 'custom', message });
    } catch (error) {
      if (!(error instanceof WherryError)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
    }
  });
}

/** A path with `./`, `../` or `/` at its beginning, or the name of a package or of an entry of one. */
function moduleName() {
  const isPath = (text: string) => /^\.{0,2}\//.test(text);
  return z
    .string()
    .refine((text) => !text.includes('\0'), 'a NUL character cannot be used here')
    .refine(
      (text) => !isPath(text) || /\.(?:[mc]?js|m?ts)$/.test(text),
      'must be a file whose name ends with .js, .mjs, .cjs, .ts or .mts',
    )
    .refine(
      (text) => isPath(text) || /^(?:@[a-z0-9~-][\w.~-]*\/)?[a-z0-9~-][\w.~-]*(?:\/[\w.~-]+)*$/i.test(text),
      'must be a path with ./ or / at its beginning, or the name of a package',
    )
    .refine(
      (text) => isPath(text) || !/\.(?:[mc]?js|m?ts)$/.test(text),
      'is taken for a package; a file has ./ or / at its beginning',
    );
}

/** Reads the settings of a profile. An InputError tells what is wrong with the file. */
export async function readProfileSettings({
  settingsFile: file,
}: Pick<ProfileLocation, 'settingsFile'>): Promise<ProfileSettings> {
  return readDocument(await readTextFile(file), { source: file, schema: profileSchema });
}

/** Writes the settings of a profile, all at once. */
export async function writeProfileSettings(
  { settingsFile }: Pick<ProfileLocation, 'settingsFile'>,
  settings: ProfileSettings,
): Promise<void> {
  await writePrivately(settingsFile, stringify(settings, { lineWidth: 0 }));
}

/** Writes a file that its owner alone may read (0600): whole or not at all. */
export async function writePrivately(file: string, text: string): Promise<void> {
  const temporary = `${file}.${process.pid}.part`;
  try {
    await writeFile(temporary, text, { mode: 0o600, flag: 'wx' });
    await rename(temporary, file);
  } finally {
    if (existsSync(temporary)) await rm(temporary, { force: true });
  }
}
