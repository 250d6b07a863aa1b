import { fileURLToPath } from 'node:url';

/** Everything of Wherry that is not a package of somebody else. */
const installation = fileURLToPath(new URL('../../../', import.meta.url));

/**
 * The first line of an error's stack that is in code of users, as `path:line:column`. Packages are theirs only where
 * there is nothing else.
 */
export function placeInStack(stack: string): string | undefined {
  const places = stack.split('\n', 200).flatMap((line) => {
    const [, location = '', position = ''] = frame.exec(line) ?? [];
    const file = location.startsWith('file:') ? pathOf(location) : location;
    return file === '' || file.startsWith(installation) ? [] : [`${file}${position}`];
  });
  return places.find((place) => !place.includes('/node_modules/')) ?? places[0];
}

/** `at name (file:///a/b.ts:1:2)`, `at /a/b.cjs:1:2`, or the line before a piece of code that cannot be read. */
const frame = /^\s*(?:at (?:.* \(|async )?)?(file:\/\/.+?|\/.+?)(:\d+(?::\d+)?)\)?$/;

function pathOf(url: string): string {
  try {
    return fileURLToPath(url.replace(/[?#].*$/s, ''));
  } catch {
    return '';
  }
}
