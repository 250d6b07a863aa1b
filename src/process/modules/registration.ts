import Module, { createRequire, register } from 'node:module';
import { pathToFileURL } from 'node:url';
import { type HookData, packageScheme } from './hook-data.js';

/** The entries of this package. */
const entries = ['wherry', 'wherry/plugin', 'wherry/testing'];

let registered = false;

/**
 * Lets this program import modules of users: TypeScript, and `wherry` from anywhere on the disk. That is always this
 * very installation, also where another one is nearer: two in one program would not know each other's definitions.
 * What runs from TypeScript sources, as tests do, has its own ways for both.
 */
export function registerHooks(): void {
  if (registered || !import.meta.url.endsWith('.js')) return;
  registered = true;
  const require = createRequire(import.meta.url);
  const files = new Map(entries.map((name) => [name, require.resolve(name)]));
  const own = Object.fromEntries([...files].map(([name, file]) => [name, pathToFileURL(file).href]));
  const stripsTypes = !('typescript' in process.features && process.features.typescript);
  const data: HookData = { own, stripsTypes };
  register('./hooks.js', import.meta.url, { data });
  redirectRequire(files);
}

/** The same for `require`, which does not ask the hooks. */
function redirectRequire(files: ReadonlyMap<string, string>): void {
  const loader = Module as unknown as { _resolveFilename(request: string, ...others: unknown[]): string };
  const resolve = loader._resolveFilename;
  loader._resolveFilename = function (request, ...others) {
    return files.get(request) ?? resolve.call(this, request, ...others);
  };
}

/** The URL by which a package is imported that is looked for from a folder upwards. */
export function packageUrl(name: string, folder: string): string {
  const from = pathToFileURL(`${folder}/`).href;
  return `${packageScheme}${name}?${new URLSearchParams({ from })}`;
}
