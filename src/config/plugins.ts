import { existsSync, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { messageOf, WherryError } from '../errors.js';
import type { SchedulerDefinition } from '../plugin/scheduler.js';
import type { TransportDefinition } from '../plugin/transport.js';
import { didYouMean } from './nearest.js';
import { flawsOfScheduler, flawsOfTransport } from './plugin-shape.js';
import { errnoOf } from './text-file.js';

export type PluginKind = 'scheduler' | 'transport';

type Importer = () => Promise<unknown>;

/** The plugins that come with Wherry. Nothing else in the core knows a plugin by name. */
const builtIn: Readonly<Record<PluginKind, Readonly<Record<string, Importer>>>> = {
  scheduler: {
    direct: () => import('../../schedulers/direct/index.js'),
    slurm: () => import('../../schedulers/slurm/index.js'),
    pbspro: () => import('../../schedulers/pbspro/index.js'),
  },
  transport: {
    local: () => import('../../transports/local/index.js'),
    ssh: () => import('../../transports/ssh/index.js'),
  },
};

const loaded = new Map<string, Promise<unknown>>();

/** The names of the plugins that come with Wherry; loads none of them. */
export function listPlugins(): { readonly kind: PluginKind; readonly name: string }[] {
  return (['scheduler', 'transport'] as const).flatMap((kind) =>
    Object.keys(builtIn[kind]).map((name) => ({ kind, name })),
  );
}

/**
 * A scheduler by its name: built in, an installed package, or the absolute path of a module or its folder. Throws
 * `plugin-missing` or `plugin-broken`.
 */
export async function loadScheduler(name: string): Promise<SchedulerDefinition> {
  return (await load('scheduler', name, flawsOfScheduler)) as SchedulerDefinition;
}

/** A transport by its name, found like a scheduler. Its settings are what its own `connection` schema gives. */
export async function loadTransport(name: string): Promise<TransportDefinition> {
  return (await load('transport', name, flawsOfTransport)) as TransportDefinition;
}

/** Each plugin is loaded once per process; a failure is not kept, so that it can be mended meanwhile. */
function load(kind: PluginKind, name: string, flawsOf: (value: unknown) => string[]): Promise<unknown> {
  const key = `${kind} ${name}`;
  const known = loaded.get(key);
  if (known !== undefined) return known;
  const loading = importPlugin(kind, name, flawsOf);
  loaded.set(key, loading);
  loading.catch(() => loaded.delete(key));
  return loading;
}

async function importPlugin(kind: PluginKind, name: string, flawsOf: (value: unknown) => string[]): Promise<unknown> {
  const importer = Object.hasOwn(builtIn[kind], name) ? builtIn[kind][name] : foreignImporter(kind, name);
  let imported: unknown;
  try {
    imported = await importer?.();
  } catch (error) {
    if (isMissing(error, name)) throw missing(kind, name, error);
    throw broken(kind, name, `could not be loaded: ${messageOf(error)}`, error);
  }
  const value = (imported as { readonly default?: unknown } | undefined)?.default;
  const flaws = flawsOf(value);
  if (flaws.length > 0) throw broken(kind, name, `breaks the contract: ${flaws.join(', ')}`);
  return value;
}

function foreignImporter(kind: PluginKind, name: string): Importer {
  if (isAbsolute(name) && !name.includes('\0')) {
    const file = existsSync(name) && statSync(name).isDirectory() ? join(name, 'index.js') : name;
    if (!existsSync(file)) throw missing(kind, name);
    return () => import(pathToFileURL(file).href);
  }
  const isPackageName = /^(@[a-z0-9~-][\w.~-]*\/)?[a-z0-9~-][\w.~-]*$/.test(name);
  if (!isPackageName) throw missing(kind, name);
  return () => import(name);
}

/** Is it the package itself that was not found, and not something that it imports? */
function isMissing(error: unknown, name: string): boolean {
  return errnoOf(error) === 'ERR_MODULE_NOT_FOUND' && messageOf(error).includes(`'${name}'`);
}

function missing(kind: PluginKind, name: string, cause?: unknown): WherryError {
  const names = Object.keys(builtIn[kind]);
  return new WherryError('plugin-missing', `there is no ${kind} ${JSON.stringify(name)}${didYouMean(name, names)}`, {
    hint: `built in are: ${names.join(', ')}; anything else must be an installed package or an absolute path`,
    cause,
  });
}

function broken(kind: PluginKind, name: string, reason: string, cause?: unknown): WherryError {
  return new WherryError('plugin-broken', `the ${kind} ${JSON.stringify(name)} ${reason}`, { cause });
}
