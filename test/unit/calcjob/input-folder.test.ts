import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { InputFolder } from '../../../src/calcjob/input-folder.js';
import { FileContent, type FileData, type FolderData, LocalFile } from '../../../src/process/data.js';
import { checkInputs } from '../../../src/process/inputs.js';
import { file, folder } from '../../../src/process/namespace.js';
import type { Repository } from '../../../src/store/repository.js';
import { linked, taking, temporaryFolder, temporaryRepository } from '../process/spec/spec-rig.js';

let repository: Repository;
let tree: FolderData;
let note: FileData;
const into = new InputFolder();
beforeEach(async () => {
  repository = await temporaryRepository();
  const source = await temporaryFolder();
  await mkdir(path.join(source, 'sub/deep'), { recursive: true });
  await writeFile(path.join(source, 'a.txt'), 'a');
  await writeFile(path.join(source, 'sub/run.sh'), '#!/bin/sh', { mode: 0o755 });
  await writeFile(path.join(source, 'sub/deep/b.txt'), 'b');
  await writeFile(path.join(source, 'subject'), 'c');
  const spec = taking(z.object({ tree: folder(), note: file() }));
  const given = { tree: new LocalFile(source), note: new FileContent('note.txt', 'n') };
  const [one, other] = linked(await checkInputs(spec, given, repository), repository);
  [tree, note] = [one?.data as FolderData, other?.data as FileData];
});

/** What was put there: path → content and mode. */
async function put(fill: (folder: InputFolder) => void): Promise<Record<string, string>> {
  const made = new InputFolder();
  fill(made);
  const stored = await made.store(repository, { uuid: '' });
  const texts = stored.map(async ({ path: name, sha256, mode }) => [
    name,
    `${await repository.read(sha256)} ${mode.toString(8)}`,
  ]);
  return Object.fromEntries(await Promise.all(texts));
}

it('takes files and whole folders under other names', async () => {
  expect(await put((made) => made.copy('in/n.txt', note))).toEqual({ 'in/n.txt': 'n 644' });
  const all = { 'a.txt': 'a 644', subject: 'c 644', 'sub/run.sh': '#!/bin/sh 755', 'sub/deep/b.txt': 'b 644' };
  expect(await put((made) => made.copy('.', tree))).toEqual(all);
  expect(Object.keys(await put((made) => made.copy('x/', tree))).sort()).toEqual(
    Object.keys(all)
      .map((name) => `x/${name}`)
      .sort(),
  );
});

it('takes some of a folder', async () => {
  expect(await put((made) => made.copy('go', tree, 'sub/run.sh'))).toEqual({ go: '#!/bin/sh 755' });
  const sub = { 'x/run.sh': '#!/bin/sh 755', 'x/deep/b.txt': 'b 644' };
  expect(await put((made) => made.copy('x', tree, 'sub'))).toEqual(sub);
  expect(await put((made) => made.copy('x', tree, 'sub/'))).toEqual(sub);
  expect(await put((made) => made.copy('.', tree, 'sub/deep'))).toEqual({ 'b.txt': 'b 644' });
});

it('refuses what is not there, and what would leave it', () => {
  expect(() => into.copy('x', tree, 'su')).toThrow('there is nothing called "su" in the folder');
  expect(() => into.copy('../x', tree, 'a.txt')).toThrow('is not inside the job');
  expect(() => into.copy('.wherry/x', note)).toThrow('is not inside the job');
});
