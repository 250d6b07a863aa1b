import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import direct from '../../../schedulers/direct/index.js';
import pbspro from '../../../schedulers/pbspro/index.js';
import slurm from '../../../schedulers/slurm/index.js';
import { codeSchema } from '../../../src/config/code.js';
import { computerSchema } from '../../../src/config/computer.js';
import { readDocument } from '../../../src/config/document.js';
import { jobSchema } from '../../../src/config/job.js';

async function page(name: string) {
  const text = await readFile(`docs/${name}.md`, 'utf8');
  const blocks = [...text.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block);
  /** Whatever stands in backticks. */
  const words = new Set([...text.matchAll(/`([^`\n]+)`/g)].map(([, word = '']) => word));
  return { text, blocks, words };
}

describe('the page on job files', () => {
  it('names every key of a job and of its resources', async () => {
    const { words, blocks } = await page('job-files');
    const keys = [...Object.keys(jobSchema.shape), ...Object.keys(jobSchema.shape.resources.unwrap().shape)];
    expect(keys.filter((key) => !words.has(key))).toEqual([]);
    for (const block of blocks) readDocument(block, { source: 'page', schema: jobSchema });
  });

  it('says what each scheduler can express', async () => {
    const { text } = await page('job-files');
    const rows = [...text.matchAll(/^\| (`[^|]+) \| (yes|no) \| (yes|no) \| (yes|no) \|$/gm)];
    const told = rows.flatMap(([, keys = '', ...answers]) =>
      [...keys.matchAll(/`(\w+)[^`]*`/g)].map(([, key = '']) => [key, answers] as const),
    );
    const all = new Set([slurm, pbspro, direct].flatMap(({ settings }) => settings));
    expect(told.map(([key]) => key).sort()).toEqual([...all].sort());
    for (const [key, answers] of told) {
      const can = [slurm, pbspro, direct].map(({ settings }) => (settings as readonly string[]).includes(key));
      expect([key, can.map((yes) => (yes ? 'yes' : 'no'))]).toEqual([key, answers]);
    }
  });
});

describe('the page on codes', () => {
  it('names every key of a code, and has codes and jobs that can be read', async () => {
    const { words, blocks } = await page('codes');
    expect(Object.keys(codeSchema.shape).filter((key) => !words.has(key))).toEqual([]);
    const isJob = (block: string) => /^codes?:/m.test(block);
    expect(blocks.map(isJob)).toEqual([false, false, false, false, true, true]);
    for (const block of blocks) {
      const schema = isJob(block) ? jobSchema : codeSchema;
      readDocument(block, { source: 'page', schema });
    }
  });

  it('names what is filled in in mpirun, and nothing else', async () => {
    const { words } = await page('codes');
    const placeholders = [...words].filter((word) => /^\{\w+\}$/.test(word) && word !== '{image}');
    const computer = { label: 'a', transport: 't', scheduler: 's', workDirectory: '/w', mpirun: placeholders };
    expect(computerSchema.parse(computer).mpirun).toHaveLength(7);
  });
});
