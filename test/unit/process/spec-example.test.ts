import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Energy, Lowest } from '../../../examples/springs.js';
import { Runner, run } from '../../../src/engine/control/runner.js';
import { InputError } from '../../../src/errors.js';
import { LocalFile } from '../../../src/process/data.js';
import { portLines } from '../../../src/process/spec-page.js';
import { ProcessFailed } from '../../../src/workflow/result.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';
import { byPath } from './spec/spec-rig.js';

const page = 'docs/process-spec.md';

let test: TestProfile;
let runner: Runner;
beforeAll(async () => {
  test = await startProfile();
  runner = await Runner.open({ home: test.profile.location.home });
});
afterAll(async () => {
  await runner?.[Symbol.asyncDispose]();
  await test?.[Symbol.asyncDispose]();
});

async function structure(name: string, places: readonly number[]): Promise<LocalFile> {
  const path = join(test.profile.location.directory, name);
  await writeFile(path, places.map((place) => `${place}\n`).join(''));
  return new LocalFile(path);
}

describe('the example', () => {
  it('gives what it exposes to its children, whose links have dotted labels', async () => {
    const structures = { near: await structure('near', [0, 1.5]), far: await structure('far', [0, 3, 4]) };
    const outputs = await run(Lowest, { structures, energy: { springs: { stiffness: 2 } } });
    expect(outputs).toEqual({ lowest: 'near', energies: { near: 0.25, far: 4 } });
    const { store } = test.profile;
    const rows = await store
      .selectFrom('links')
      .innerJoin('processes', 'processes.id', 'links.process_id')
      .select(['processes.name', 'links.type', 'links.label', 'links.data_id'])
      .where('processes.name', 'in', ['example.lowest', 'example.energy'])
      .orderBy('processes.id')
      .orderBy('links.label')
      .execute();
    const labels = (name: string, type: string) =>
      rows.filter((row) => row.name === name && row.type === type).map(({ label }) => label);
    expect(labels('example.lowest', 'input')).toEqual([
      'energy.springs.length',
      'energy.springs.stiffness',
      'structures.far',
      'structures.near',
    ]);
    expect(labels('example.energy', 'input').slice(0, 3)).toEqual(['springs.length', 'springs.stiffness', 'structure']);
    // A file that is passed on stays the same piece of data.
    const idsOf = (label: RegExp) => new Set(rows.filter((row) => label.test(row.label)).map(({ data_id }) => data_id));
    expect(idsOf(/^structure$/)).toEqual(idsOf(/^structures\./));
  });

  it('ends with an exit code whose message says what was wrong', async () => {
    const failed: unknown = await run(Energy, { structure: await structure('one', [0]) }).catch(
      (error: unknown) => error,
    );
    expect(failed).toBeInstanceOf(ProcessFailed);
    expect(String(failed)).toContain('there are 1 atoms, and two are needed');
  });

  it('is not begun with inputs that it does not take', async () => {
    const before = await test.profile.store.selectFrom('processes').select('id').execute();
    const given = { structures: {}, energy: { springs: { stiffness: -1 }, structure: 1 } };
    const refused: unknown = await run(Lowest, given as never).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(InputError);
    expect(byPath(refused)).toEqual({
      structures: 'there must be one at least',
      'energy.springs.stiffness': 'must be more than 0',
      'energy.structure': 'is not declared (allowed: springs)',
    });
    expect(await test.profile.store.selectFrom('processes').select('id').execute()).toEqual(before);
  });
});

describe('the page about it', () => {
  it('shows code that is in the example', async () => {
    const example = withoutIndent(await readFile('examples/springs.ts', 'utf8'));
    const blocks = [...(await readFile(page, 'utf8')).matchAll(/^```ts\n([\s\S]*?)^```$/gm)];
    expect(blocks.length).toBeGreaterThan(2);
    for (const [, block = ''] of blocks) {
      for (const part of block.split(/^ *\/\/ …$/m)) expect(example).toContain(withoutIndent(part));
    }
  });

  it('shows the table of its inputs', async () => {
    const text = await readFile(page, 'utf8');
    for (const { label, type } of portLines(Energy, 'inputs'))
      expect(text).toMatch(new RegExp(`^${label} +${type}`, 'm'));
  });
});

function withoutIndent(text: string): string {
  return text.trim().replace(/^ +/gm, '');
}
