/** A value of qstat's JSON; numbers stay text where PBS wrote none that JSON knows. */
export type Json = string | number | boolean | null | { readonly [key: string]: Json } | readonly Json[];

/**
 * Reads the JSON of qstat. PBS releases write strings without escaping control characters, quotes and backslashes
 * (environment variables and comments are the usual place) and bare words where a value looks like a number. What
 * JSON.parse refuses is read line by line, as qstat lays it out: one key per line.
 * @returns undefined when the text does not end where it should
 */
export function readJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return readLines(text);
  }
}

type Open = { [key: string]: Json };

const opening = /^"((?:[^"\\]|\\.)*)"\s*:\s*\{$/;
const entry = /^"((?:[^"\\]|\\.)*?)"\s*:\s*(.*?),?$/;
const closing = /^\},?$/;

function readLines(text: string): Json | undefined {
  const lines = text.split('\n').map((line) => line.trim());
  const first = lines.indexOf('{');
  if (first < 0) return undefined;
  const root: Open = Object.create(null);
  const open: Open[] = [root];
  for (const line of lines.slice(first + 1)) {
    const top = open.at(-1);
    // Anything behind the last brace is not ours.
    if (top === undefined) break;
    const opened = opening.exec(line);
    const value = entry.exec(line);
    if (closing.test(line)) open.pop();
    else if (opened?.[1] !== undefined) open.push(child(top, opened[1]));
    // A line that is none of these continues a text whose rest we do not need.
    else if (value?.[1] !== undefined) top[value[1]] = readValue(value[2] ?? '');
  }
  return open.length === 0 ? root : undefined;
}

function child(parent: Open, key: string): Open {
  const made: Open = Object.create(null);
  parent[key] = made;
  return made;
}

function readValue(text: string): Json {
  if (text === '{}') return {};
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  const quoted = /^"(.*?)"?$/.exec(text)?.[1];
  return quoted === undefined ? text : quoted.replace(/\\(["\\/])/g, '$1').replace(/\\[nt]/g, ' ');
}
