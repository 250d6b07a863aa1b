/**
 * After the compiler: the command line becomes a program that can be run, and each library of very many files becomes one
 * file beside ours. Without this a command opens 550 files, which takes most of its time.
 */
import { chmod, copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

/** The libraries, and what our files import of each. */
const libraries = { kysely: new Set(), yaml: new Set(), zod: new Set() };
const importLine = /^((?:import|export) \{ ([^}]*) \} from )'(kysely|yaml|zod)';$/gm;
const root = fileURLToPath(new URL('../', import.meta.url));
const dist = join(root, 'dist');
const folder = join(dist, 'libraries');

await chmod(join(dist, 'src/cli/main.js'), 0o755);
await mkdir(folder, { recursive: true });
for (const part of ['src', 'schedulers', 'transports', 'testing']) {
  for (const name of await readdir(join(dist, part), { recursive: true })) {
    if (name.endsWith('.js')) await importFromOneFile(join(dist, part, name));
  }
}
for (const [name, words] of Object.entries(libraries)) {
  const entry = join(folder, `${name}.entry.js`);
  await writeFile(entry, `export { ${[...words].join(', ')} } from '${name}';\n`);
  await build({
    input: entry,
    platform: 'node',
    output: {
      file: join(folder, `${name}.js`),
      format: 'esm',
      codeSplitting: false,
      minify: { mangle: false, compress: false, codegen: true },
    },
  });
  await rm(entry);
  await copyFile(join(root, 'node_modules', name, 'LICENSE'), join(folder, `${name}.LICENSE`));
}

/** Points the imports of a built file at the libraries in one file, and notes what it takes from them. */
async function importFromOneFile(path) {
  const text = await readFile(path, 'utf8');
  const changed = text.replace(importLine, (_, words, names, library) => {
    for (const name of names.match(/\w+/g)) libraries[library].add(name);
    return `${words}'${relative(dirname(path), join(folder, `${library}.js`))}';`;
  });
  if (changed !== text) await writeFile(path, changed);
}
