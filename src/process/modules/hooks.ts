import { readFile } from 'node:fs/promises';
import type { InitializeHook, LoadHook, ResolveFnOutput, ResolveHook } from 'node:module';
import { fileURLToPath } from 'node:url';
import { type HookData, packageScheme } from './hook-data.js';

/**
 * How modules of users are found and read, for Node's loader, which runs this in a thread of its own.
 */

let own: HookData['own'];
let stripsTypes: boolean;

export const initialize: InitializeHook<HookData> = (data) => {
  ({ own, stripsTypes } = data);
};

export const resolve: ResolveHook = async (specifier, context, next) => {
  const installed = own[specifier];
  if (installed !== undefined) return { url: installed, shortCircuit: true };
  if (specifier.startsWith(packageScheme)) {
    // As it is found from the folder that it was asked for from, else beside the installation of Wherry.
    const { pathname: name, searchParams } = new URL(specifier);
    const from = searchParams.get('from') ?? import.meta.url;
    return firstOf(
      () => next(name, { ...context, parentURL: from }),
      () => next(name, { ...context, parentURL: import.meta.url }),
    );
  }
  // `./other.js` is how compilers want `./other.ts` to be imported.
  const written = /^(\.\.?\/.*\.m?)js$/.exec(specifier)?.[1];
  if (written === undefined || !isTypeScript(context.parentURL ?? '')) return next(specifier, context);
  return firstOf(
    () => next(specifier, context),
    () => next(`${written}ts`, context),
  );
};

export const load: LoadHook = async (url, context, next) => {
  if (!stripsTypes || !isTypeScript(url)) return next(url, context);
  if (url.includes('/node_modules/')) {
    throw new Error(`${fileURLToPath(url)} is TypeScript, but packages must be published as JavaScript`);
  }
  const text = await readFile(fileURLToPath(url), 'utf8');
  // Only who has TypeScript needs the compiler.
  const { stripTypes } = await import('./strip-types.js');
  return { format: 'module', source: stripTypes(text, url), shortCircuit: true };
};

/** What the first way finds, else the second; when both fail, the first says why. */
async function firstOf(
  first: () => ResolveFnOutput | Promise<ResolveFnOutput>,
  second: () => ResolveFnOutput | Promise<ResolveFnOutput>,
): Promise<ResolveFnOutput> {
  try {
    return await first();
  } catch (error) {
    try {
      return await second();
    } catch {
      throw error;
    }
  }
}

function isTypeScript(url: string): boolean {
  return /^file:[^?#]*\.m?ts(?:[?#]|$)/.test(url);
}
