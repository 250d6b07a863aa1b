import { describe, expect, it } from 'vitest';
import { select } from '../../../src/calcjob/retrieve.js';
import type { RetrieveEntry } from '../../../src/config/staging.js';
import type { RemoteEntry } from '../../../src/plugin/transport.js';

const entry = (path: string, type: RemoteEntry['type']): RemoteEntry => ({
  ...{ path, type, size: 1, mode: 0o644, modifiedAt: 0 },
});
const remote = [
  ...['path', 'path/sub', 'path/other'].map((path) => entry(path, 'directory')),
  ...['a.txt', 'b.txt', 'path/c.txt', 'path/sub/d.txt', 'path/sub/e.dat', 'path/other/f.txt'].map((path) =>
    entry(path, 'file'),
  ),
];

/** Results → file on the computer; `sub/d.txt: path/sub/d.txt`. */
const brought = (entries: RetrieveEntry[]) =>
  Object.fromEntries(select(entries, remote).selected.map(({ file, target }) => [target, file.path]));

const file = 'path/sub/d.txt';
const inside = (prefix: string) => ({ [`${prefix}d.txt`]: 'path/sub/d.txt', [`${prefix}e.dat`]: 'path/sub/e.dat' });

describe('the forms of what is to be retrieved', () => {
  it.each<[form: string, RetrieveEntry[], Record<string, string>]>([
    ['1: a file at the top', ['a.txt'], { 'a.txt': 'a.txt' }],
    ['2: a nested file, which keeps its path', [file], { [file]: file }],
    ['3: a nested file without its path', [{ from: file, to: '.' }], { 'd.txt': file }],
    ['4: a folder', ['path/sub'], inside('path/sub/')],
    ['5: a nested folder without its path', [{ from: 'path/sub', to: '.' }], inside('sub/')],
    ['6: a glob at the top', ['*.txt'], { 'a.txt': 'a.txt', 'b.txt': 'b.txt' }],
    ['7: a glob for folders', ['*/*.txt'], { 'path/c.txt': 'path/c.txt' }],
    ['8: a glob at any level', ['**/d.*'], { [file]: file }],
    ['9: a file, depth null', [{ from: file, to: '.', depth: null }], { [file]: file }],
    ['10: a file, depth 3', [{ from: file, to: '.', depth: 3 }], { [file]: file }],
    ['11: a file, depth 2', [{ from: file, to: '.', depth: 2 }], { 'sub/d.txt': file }],
    ['12: a file, depth 1', [{ from: file, to: '.', depth: 1 }], { 'd.txt': file }],
    ['13: a file, depth 0, which keeps its name', [{ from: file, to: '.', depth: 0 }], { 'd.txt': file }],
    ['14: a folder, depth null', [{ from: 'path/sub', to: '.', depth: null }], inside('path/sub/')],
    ['15: a folder, depth 2', [{ from: 'path/sub', to: '.', depth: 2 }], inside('path/sub/')],
    ['16: a folder, depth 1', [{ from: 'path/sub', to: '.', depth: 1 }], inside('sub/')],
    ['17: a folder, depth 0: what is in it', [{ from: 'path/sub', to: '.', depth: 0 }], inside('')],
    ['18: a glob, depth 2', [{ from: 'path/sub/*', to: '.', depth: 2 }], inside('sub/')],
    ['19: a glob, depth 0', [{ from: 'path/sub/*', to: '.', depth: 0 }], inside('')],
    [
      '20: a glob for folders, depth 0: what is in them',
      [{ from: 'path/*', to: '.', depth: 0 }],
      { ...inside(''), 'c.txt': 'path/c.txt', 'f.txt': 'path/other/f.txt' },
    ],
    ['21: another folder of the results', [{ from: 'path/sub', to: 'r/s', depth: 1 }], inside('r/s/sub/')],
    ['22: another folder, depth 0', [{ from: 'path/sub', to: 'r/s', depth: 0 }], inside('r/s/')],
  ])('%s', (_form, entries, expected) => {
    expect(brought(entries)).toEqual(expected);
    expect(select(entries, remote).missing).toEqual([]);
  });

  it('several of them, some of which match nothing', () => {
    const entries = ['a.txt', 'u.txt', 'path/u.txt', 'path/u*.txt', { from: 'path/sub/u.txt', to: '.', depth: 3 }];
    expect(brought(entries)).toEqual({ 'a.txt': 'a.txt' });
    expect(select(entries, remote).missing).toEqual(['u.txt', 'path/u.txt', 'path/sub/u.txt']);
  });
});
