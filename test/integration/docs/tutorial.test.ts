import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { quote } from '../../../src/plugin/shell.js';
import { execute } from '../../rigs/command.js';

const examples = 'examples/tutorial';
const main = path.resolve('dist/src/cli/main.js');

interface Block {
  readonly language: string;
  readonly text: string;
}

let root: string;
let folder: string;
let blocks: readonly Block[];
let environment: Record<string, string>;
beforeAll(async () => {
  const page = await readFile('docs/tutorial.md', 'utf8');
  blocks = [...page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => ({
    language,
    text,
  }));
  root = await mkdtemp(path.join(tmpdir(), 'wherry-tutorial-'));
  folder = path.join(root, 'roots');
  await mkdir(path.join(root, 'bin'));
  const program = path.join(root, 'bin', 'wherry');
  await writeFile(program, `#!/bin/sh\nexec ${quote(process.execPath)} ${quote(main)} "$@"\n`);
  await chmod(program, 0o755);
  environment = {
    PATH: `${path.dirname(program)}:${process.env.PATH}`,
    WHERRY_HOME: path.join(folder, 'home'),
    NO_COLOR: '1',
  };
});
afterAll(async () => {
  if (root === undefined) return;
  await shell('wherry daemon stop', folder).catch(() => undefined);
  await rm(root, { recursive: true, force: true });
});

async function shell(line: string, directory: string): Promise<string> {
  const result = await execute(['sh', '-ec', line], { directory, environment, timeout: 90_000 });
  if (result.exitCode !== 0) throw new Error(`${line}\n${result.stdout}${result.stderr}`);
  return result.stdout;
}

/** Commands of a session with what they print, where `…` stands for anything and blanks for any blanks. */
function sessionOf(text: string): { readonly line: string; readonly printed: RegExp }[] {
  return text
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [line = '', ...printed] = part.trim().split('\n');
      const words = printed.join('\n').split(/\s+/).filter(Boolean);
      const pattern = words.map((word) => word.split('…').map(literally).join('[^]*?')).join('\\s+');
      return { line, printed: printed.length === 0 ? /^/ : new RegExp(`^\\s*${pattern}\\s*$`) };
    });
}

function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

describe('the tutorial', () => {
  it('shows code that is in the examples', async () => {
    const files = await Promise.all(
      (await readdir(examples)).map((name) => readFile(path.join(examples, name), 'utf8')),
    );
    const shown = blocks.filter(({ language }) => language === 'ts').map(({ text }) => text);
    expect(shown).toHaveLength(6);
    for (const text of shown) expect(files.some((file) => file.includes(text))).toBe(true);
    // Nothing of the examples is missing either.
    for (const file of files) expect(shown.reduce((left, text) => left.replace(text, ''), file).trim()).toBe('');
  });

  it('can be followed from an empty folder, and prints what it says', async () => {
    await shell(blocks.find(({ language }) => language === 'sh')?.text ?? '', root);
    for (const name of await readdir(examples)) await copyFile(path.join(examples, name), path.join(folder, name));
    for (const { language, text } of blocks) {
      if (language === 'yaml') await writeFile(path.join(folder, 'home/profiles/default/profile.yaml'), text);
      if (language !== 'console') continue;
      for (const { line, printed } of sessionOf(text)) expect(await shell(line, folder), line).toMatch(printed);
    }
    expect(await readFile(path.join(folder, 'graph.svg'), 'utf8')).toContain('tutorial.squares');
  });
});
