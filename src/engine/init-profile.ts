import { existsSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { ensureProfile, locateProfile, type ProfileLocation } from '../config/home.js';
import { type ProfileSettings, readProfileSettings, writeProfileSettings } from '../config/profile-file.js';
import { readSecrets, type Secrets, secretsFile, writeSecrets } from '../config/secrets.js';
import { parseServiceUrl, type Service, services } from '../config/service-url.js';
import { WherryError } from '../errors.js';
import { openStore } from '../store/store.js';
import { openProfile, type Profile, type ProfileOptions } from './profile.js';

/** What a profile shall use instead of the defaults; URLs may carry passwords. */
export interface ServicesWanted {
  readonly store?: string | undefined;
  readonly broker?: string | undefined;
  /** Absolute. */
  readonly repository?: string | undefined;
}

/** A profile that was made, and where passwords were put that the URLs carried. */
export interface Initialised extends AsyncDisposable {
  readonly profile: Profile;
  readonly secretsFile: string | undefined;
}

/**
 * Makes a profile that uses PostgreSQL, RabbitMQ or a shared repository, or adds this host to one that exists there.
 * The services are tried first: what cannot be used leaves nothing behind, here or there.
 * Errors: `store-failed`, `store-newer`, `broker-unavailable`; `already-exists` for a profile with other settings.
 */
export async function initProfile(options: ProfileOptions, wanted: ServicesWanted): Promise<Initialised> {
  const location = locateProfile(options, process.env);
  const store = wanted.store === undefined ? undefined : parseServiceUrl(wanted.store, services.store);
  const broker = wanted.broker === undefined ? undefined : parseServiceUrl(wanted.broker, services.broker);
  const settings: ProfileSettings = {
    ...(store === undefined ? {} : { store: store.url }),
    ...(broker === undefined ? {} : { broker: broker.url }),
    ...(wanted.repository === undefined ? {} : { repository: wanted.repository }),
  };
  await expectFree(location, settings);
  const carried: Secrets = {
    ...(store?.password === undefined ? {} : { store: store.password }),
    ...(broker?.password === undefined ? {} : { broker: broker.password }),
  };
  const secrets = { ...(await readSecrets(location, process.env)), ...carried };
  if (broker !== undefined) {
    const { probeBroker } = await import('../broker/amqp/index.js');
    const password = secrets.broker === undefined ? {} : { password: secrets.broker };
    await tried(services.broker, probeBroker({ url: broker.url, ...password }));
  }
  if (store !== undefined) {
    const password = secrets.store === undefined ? {} : { password: secrets.store };
    const opened = await tried(services.store, openStore({ kind: 'postgres', url: store.url, ...password }));
    await opened.destroy();
  }
  await ensureProfile({ ...location, repositoryDirectory: wanted.repository ?? location.repositoryDirectory });
  const hasSecrets = Object.keys(carried).length > 0;
  if (hasSecrets) await writeSecrets(location, carried);
  if (Object.keys(settings).length > 0) await writeProfileSettings(location, settings);
  const profile = await openProfile(options);
  return {
    profile,
    secretsFile: hasSecrets ? secretsFile(location) : undefined,
    [Symbol.asyncDispose]: () => profile[Symbol.asyncDispose](),
  };
}

/** A URL that only its service finds wrong fails like one that cannot be reached: nothing was done either way. */
async function tried<T>(service: Service, trial: Promise<T>): Promise<T> {
  try {
    return await trial;
  } catch (error) {
    if (!(error instanceof WherryError) || error.code !== 'bad-input') throw error;
    const { message, hint } = error;
    throw new WherryError(service.code, message, { cause: error, ...(hint === undefined ? {} : { hint }) });
  }
}

/** Nothing that exists is changed: other settings are for a person to write, another store for `store migrate`. */
async function expectFree(location: ProfileLocation, settings: ProfileSettings): Promise<void> {
  if (existsSync(location.settingsFile)) {
    const { daemon: _, ...present } = await readProfileSettings(location);
    if (isDeepStrictEqual(present, settings)) return;
    throw new WherryError('already-exists', `the profile ${location.profile} has other settings already`, {
      hint: `edit ${location.settingsFile}, or choose another profile with --profile NAME`,
    });
  }
  if (settings.store !== undefined && existsSync(location.storeFile)) {
    throw new WherryError('already-exists', `the profile ${location.profile} has a store already`, {
      hint: 'move it with: wherry store migrate --to URL; or choose another profile with --profile NAME',
    });
  }
}
