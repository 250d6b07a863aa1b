import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { InputError, WherryError } from '../errors.js';
import { definingModule, definitions, whileLoading } from './definition.js';
import { moduleError, moduleFailure } from './modules/module-failure.js';
import { packageUrl, registerHooks } from './modules/registration.js';

/** What modules of users brought. A module is called what the profile calls it. */
export interface LoadedModules {
  /** The module that defines the process with this name; undefined when none of them does. */
  moduleOf(name: string): string | undefined;
  /** Why a module could not be loaded (`module-failed`); undefined when it was, and when it is not one of them. */
  failureOf(module: string): WherryError | undefined;
  /** All that could not be loaded, in their order. */
  readonly failures: readonly ModuleFailure[];
}

export interface ModuleFailure {
  readonly module: string;
  readonly error: WherryError;
}

export interface LoadOptions {
  /** Milliseconds that one module may take; default: a minute. */
  readonly timeout?: number;
}

/** Extensions of files that can be modules. */
const extensions = ['.js', '.mjs', '.cjs', '.ts', '.mts'];
const mend = 'mend the module, then start again what loads it (workers: wherry daemon reload)';

/**
 * Loads modules that define processes, one after the other. A module that fails concerns its own processes only: this
 * never throws. What it had defined before it failed is known all the same, so ask `failureOf` first. Each is loaded
 * once in a program, however often it is asked for.
 * @param specifiers paths with `./`, `../` or `/` at their beginning, or names of packages
 * @param from the folder where relative paths begin and packages are looked for
 */
export async function loadModules(
  specifiers: readonly string[],
  from: string,
  { timeout = 60_000 }: LoadOptions = {},
): Promise<LoadedModules> {
  const failures = new Map<string, WherryError>();
  const exporting = new Map<string, string>();
  for (const specifier of new Set(specifiers)) {
    const loaded = await load(specifier, from, timeout);
    if (loaded instanceof WherryError) failures.set(specifier, loaded);
    else for (const name of namesOf(loaded)) if (!exporting.has(name)) exporting.set(name, specifier);
  }
  return {
    // Where a script loaded the module before, it says what is its own by exporting it.
    moduleOf: (name) => definingModule(name) ?? exporting.get(name),
    failureOf: (module) => failures.get(module),
    failures: [...failures].map(([module, error]) => ({ module, error })),
  };
}

/**
 * Runs a script by importing it, and gives what it exports.
 * Errors: `bad-input` when there is no such script; `module-failed` with its own words when it throws; errors of Wherry
 * come through as they are.
 */
export async function importScript(file: string): Promise<Readonly<Record<string, unknown>>> {
  const absolute = path.resolve(file);
  const reason = flawOf(absolute);
  if (reason !== undefined) throw new InputError(`the script ${file} cannot be run: ${reason}`);
  registerHooks();
  try {
    return (await import(pathToFileURL(absolute).href)) as Record<string, unknown>;
  } catch (error) {
    throw await scriptFailure(file, error);
  }
}

/** Why a script has failed: its own words and where they came from, or an error of Wherry as it is. */
export async function scriptFailure(file: string, thrown: unknown): Promise<WherryError> {
  if (thrown instanceof WherryError) return thrown;
  return moduleFailure(`the script ${file} failed`, thrown, 'mend the script', path.resolve(file));
}

/** The names of the processes that a module exports. */
function namesOf(loaded: object): string[] {
  const exported = new Set<unknown>(Object.values(loaded));
  return definitions().flatMap((definition) => (exported.has(definition) ? [definition.name] : []));
}

/** What a module exports, or why it could not be loaded. */
async function load(specifier: string, from: string, timeout: number): Promise<object | WherryError> {
  const what = `the module ${specifier} could not be loaded`;
  const file = /^\.{0,2}\//.test(specifier) ? path.resolve(from, specifier) : undefined;
  const flaw = file === undefined ? undefined : flawOf(file);
  if (flaw !== undefined) return moduleError(what, flaw, mend);
  registerHooks();
  const url = file === undefined ? packageUrl(specifier, from) : pathToFileURL(file).href;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<WherryError>((resolve) => {
    const reason = `it was not ready after ${timeout / 1000} s`;
    timer = setTimeout(() => resolve(moduleError(what, reason, mend)), timeout);
  });
  try {
    return (await Promise.race([whileLoading(specifier, () => import(url)), late])) as object;
  } catch (error) {
    return moduleFailure(what, error, mend, file);
  } finally {
    clearTimeout(timer);
  }
}

/** What keeps a path from being a module. */
function flawOf(file: string): string | undefined {
  if (!extensions.includes(path.extname(file))) return `its name must end with one of ${extensions.join(' ')}`;
  if (!existsSync(file)) return `there is no file ${file}`;
  return statSync(file).isFile() ? undefined : `${file} is no file`;
}
