import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const store = fileURLToPath(new URL('../../../dist/src/store/store.js', import.meta.url));

/** Says that it is ready, and opens one new file after the other as soon as each is named. */
const opener = `
  import { createInterface } from 'node:readline';
  import { openStore } from ${JSON.stringify(store)};
  console.log('ready');
  for await (const file of createInterface({ input: process.stdin })) {
    const store = await openStore({ kind: 'sqlite', file });
    const { count } = await store.selectFrom('processes').select(({ fn }) => fn.countAll().as('count')).executeTakeFirstOrThrow();
    await store.destroy();
    console.log('opened', count);
  }
`;

describe('a new store', () => {
  it('is opened by many programs at the same moment, and all of them can use it', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'wherry-open-'));
    const programs = Array.from({ length: 6 }, () =>
      spawn(process.execPath, ['--input-type=module', '-e', opener], { stdio: ['pipe', 'pipe', 'pipe'] }),
    );
    try {
      const errors = programs.map(({ stderr }) => text(stderr));
      const ends = programs.map((program) => once(program, 'close'));
      await Promise.all(programs.map(({ stdout }) => once(stdout, 'data')));
      const said = programs.map(({ stdout }) => text(stdout));
      const rounds = Array.from({ length: 10 }, (_, round) => path.join(directory, `store-${round}.sqlite`));
      for (const file of rounds) for (const { stdin } of programs) stdin.write(`${file}\n`);
      for (const { stdin } of programs) stdin.end();
      await Promise.all(ends);
      expect(await Promise.all(errors)).toEqual(programs.map(() => ''));
      expect(await Promise.all(said)).toEqual(programs.map(() => 'opened 0\n'.repeat(rounds.length)));
    } finally {
      for (const program of programs) program.kill('SIGKILL');
      await rm(directory, { recursive: true, force: true });
    }
  });
});
