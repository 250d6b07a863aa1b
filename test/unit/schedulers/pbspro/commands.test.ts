import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import pbspro from '../../../../schedulers/pbspro/index.js';
import type { Command } from '../../../../src/plugin.js';
import { execute } from '../../../rigs/command.js';

const query = { user: 'user1', workDirectory: '/work', options: {} };
let folder: string;

/** Stand-ins for the programs of PBS: the shell text around them is real. */
const job = (id: string) => `{"Jobs":{"${id}":{"Job_Name":"a","job_state":"R"}}}`;
const programs: Readonly<Record<string, string>> = {
  // Answers about its first id only; the second server keeps no history.
  qstat: `case $HISTORY$1 in off-x) echo 'qstat: PBS is not configured to maintain job history' >&2; exit 1;; esac
for id; do :; done
case $id in
  404.*) echo "qstat: Unknown Job Id $id" >&2; echo '{"pbs_version":"x"}'; exit 153;;
  500.*) echo 'Connection refused' >&2; exit 255;;
esac
printf '%s\\n' '${job("'$id'")}'`,
  qselect: `case $HISTORY$1 in off-x) echo 'qselect: PBS is not configured to maintain job history' >&2; exit 1;; esac
for name; do :; done
case $name in found) echo '7[].pbshead';; down) echo 'qselect: cannot connect to server' >&2; exit 255;; esac`,
  qdel: `case $* in *404*) echo 'qdel: Unknown Job Id 404.pbshead' >&2; exit 153;; *500*) echo 'Connection refused' >&2; exit 162;; esac`,
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wherry-pbs-'));
  for (const [name, text] of Object.entries(programs)) {
    await writeFile(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
  // What an unprotected `7[].pbshead` or `7[2].pbshead` would turn into.
  await writeFile(join(folder, '72.pbshead'), '');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const run = ({ words, stdin = '' }: Command, history = '') =>
  execute(words, {
    input: stdin,
    directory: folder,
    environment: { PATH: `${folder}:${process.env.PATH}`, HISTORY: history },
  });
const idsOf = async (command: Command, history?: string) =>
  [...pbspro.parseList(await run(command, history))].map(({ id }) => id);
const unavailable = expect.objectContaining({ code: 'scheduler-unavailable', transient: true });

it.each(['', 'off'])('lists by ids, history "%s"', async (history) => {
  const list = (ids: string[]) => pbspro.list({ ...query, ids });
  expect(await idsOf(list(['7[2].pbshead']), history)).toEqual(['7[2].pbshead']);
  expect(await idsOf(list(['404.pbshead']), history)).toEqual([]);
  expect(await idsOf(list([]), history)).toEqual([]);
  await expect(idsOf(list(['500.pbshead']), history)).rejects.toThrow(unavailable);
});

it('asks in chunks, and one that fails is no answer', async () => {
  const ids = Array.from({ length: 401 }, (_, index) => `${index + 1000}.pbshead`);
  expect(await idsOf(pbspro.list({ ...query, ids }))).toEqual(['1199.pbshead', '1399.pbshead', '1400.pbshead']);
  await expect(idsOf(pbspro.list({ ...query, ids: [...ids.slice(0, 400), '500.pbshead'] }))).rejects.toThrow(
    unavailable,
  );
});

it.each(['', 'off'])('finds by name, history "%s"', async (history) => {
  const find = (name: string) => pbspro.find({ ...query, name, since: 0 });
  expect(await idsOf(find('found'), history)).toEqual(['7[].pbshead']);
  expect(await idsOf(find('nowhere'), history)).toEqual([]);
  await expect(idsOf(find('down'), history)).rejects.toThrow(unavailable);
});

it('cancels in chunks', async () => {
  const killed = async (ids: string[]) => pbspro.parseKill(await run(pbspro.kill({ ...query, ids })));
  await killed(['1.pbshead', '404.pbshead']);
  await expect(killed(['500.pbshead'])).rejects.toThrow(unavailable);
});
