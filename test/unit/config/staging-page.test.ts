import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { select } from '../../../src/calcjob/retrieve.js';
import { readCheckedDocument } from '../../../src/config/document.js';
import { jobSchema } from '../../../src/config/job.js';

let text: string;
let folder: string;
beforeAll(async () => {
  text = await readFile('docs/staging.md', 'utf8');
  folder = await mkdtemp(path.join(tmpdir(), 'wherry-page-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const blocks = (language: string) =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, block = '']) => block);
const read = (yaml: string) => readCheckedDocument(yaml, { source: 'job.yaml', schema: jobSchema }).value;

describe('the page on files', () => {
  it('has job files that are accepted', () => {
    const jobs = blocks('yaml').map(read);
    expect(jobs).toHaveLength(4);
    expect(jobs[0]?.stash).toMatchObject({ mode: 'tar.gz', dereference: false });
    expect(jobs[2]?.monitors?.diverges).toMatchObject({ minimumInterval: 60, priority: 0 });
  });

  it('has a table of entries that is right', () => {
    const found = ['path', 'path/sub', 'path/sub/file.txt'].map((name) => ({
      ...{ path: name, size: 1, mode: 0o644, modifiedAt: 0 },
      type: name.endsWith('.txt') ? ('file' as const) : ('directory' as const),
    }));
    const rows = [...text.matchAll(/^\| (`.*`) \| `([^`]*\.txt)` \|$/gm)];
    expect(rows).toHaveLength(7);
    for (const [, entries = '', target] of rows) {
      for (const [, entry = ''] of entries.matchAll(/`([^`]+)`/g)) {
        const { retrieve } = read(`command: [x]\nretrieve: [${entry}]\n`);
        expect(select(retrieve, found).selected.map((one) => one.target)).toEqual([target]);
      }
    }
  });

  it('has a monitor that stops what diverges', async () => {
    const file = path.join(folder, 'diverges.mjs');
    await writeFile(file, blocks('js')[0] ?? '');
    const { default: diverges } = await import(pathToFileURL(file).href);
    const seen = (count: number) => ({ 'pw.out': 'convergence NOT achieved\n'.repeat(count) });
    expect(diverges({ files: {}, arguments: { most: 5 } })).toBeUndefined();
    expect(diverges({ files: seen(5), arguments: { most: 5 } })).toBeUndefined();
    expect(diverges({ files: seen(6), arguments: { most: 5 } })).toMatchObject({ outputs: { warnings: 6 } });
  });
});
