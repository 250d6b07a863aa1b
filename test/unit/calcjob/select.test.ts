import { describe, expect, it } from 'vitest';
import { select } from '../../../src/calcjob/retrieve.js';
import type { RetrieveEntry } from '../../../src/config/staging.js';
import type { RemoteEntry } from '../../../src/plugin/transport.js';

/** A name that ends in `/` is a folder, one that ends in `@` a link, one that ends in `|` a pipe. */
function found(...names: string[]): RemoteEntry[] {
  const types: Record<string, RemoteEntry['type']> = { '/': 'directory', '@': 'symlink', '|': 'other' };
  return names.map((name) => {
    const type = types[name.slice(-1)] ?? 'file';
    const path = type === 'file' ? name : name.slice(0, -1);
    return { path, type, size: 1, mode: 0o644, modifiedAt: 0 };
  });
}

const tree = found(
  'a.txt',
  'b.log',
  'out/',
  'out/x.xml',
  'out/deep/',
  'out/deep/y.xml',
  'out/deep/z.dat',
  'empty/',
  '.hidden',
  'link@',
  'out/link.xml@',
  'pipe|',
  '.wherry/',
  '.wherry/exit',
  '.wherry/job-1.sh',
);

function chosen(entries: RetrieveEntry[], remote = tree): Record<string, string> {
  return Object.fromEntries(select(entries, remote).selected.map(({ file, target }) => [target, file.path]));
}
const missing = (entries: RetrieveEntry[], remote = tree) => select(entries, remote).missing;
const same = (...names: string[]) => Object.fromEntries(names.map((name) => [name, name]));

describe('what is retrieved', () => {
  it.each<[string, RetrieveEntry, Record<string, string>]>([
    ['a file keeps its path', 'out/x.xml', same('out/x.xml')],
    ['a folder brings everything below it', 'out', same('out/x.xml', 'out/deep/y.xml', 'out/deep/z.dat')],
    ['a folder may be written with a slash', 'out/', same('out/x.xml', 'out/deep/y.xml', 'out/deep/z.dat')],
    ['a name is not the beginning of another', 'a', {}],
    [
      '* stays in its folder, brings folders whole and nothing hidden',
      '*',
      same('a.txt', 'b.log', 'out/x.xml', 'out/deep/y.xml', 'out/deep/z.dat'),
    ],
    ['* with an end', '*.txt', same('a.txt')],
    ['* below a folder', 'out/*.xml', same('out/x.xml')],
    ['** goes down', '**/*.xml', same('out/x.xml', 'out/deep/y.xml')],
    [
      '** alone is all that is not hidden',
      '**',
      same('a.txt', 'b.log', 'out/x.xml', 'out/deep/y.xml', 'out/deep/z.dat'),
    ],
    ['? is one character', '?.log', same('b.log')],
    ['[] is one of several', '[ab].txt', same('a.txt')],
    ['{} is one of several words', '{a.txt,b.log,none}', same('a.txt', 'b.log')],
    ['a glob that is a folder brings what is below it', 'o*t', same('out/x.xml', 'out/deep/y.xml', 'out/deep/z.dat')],
    ['! at the beginning is no negation', '!a.txt', {}],
    ['hidden files come by their name', '.hidden', same('.hidden')],
    ['links are not followed', 'link', {}],
    ['pipes and devices are no files', 'pipe', {}],
    ['to takes the name alone', { from: 'out/deep/y.xml', to: 'r' }, { 'r/y.xml': 'out/deep/y.xml' }],
    ['to . is the top', { from: 'out/x.xml', to: '.' }, { 'x.xml': 'out/x.xml' }],
    ['to may end in a slash', { from: 'a.txt', to: 'r/s/' }, { 'r/s/a.txt': 'a.txt' }],
    [
      'depth 0 keeps the name as 1 does',
      { from: 'out/deep/y.xml', to: 'r', depth: 0 },
      { 'r/y.xml': 'out/deep/y.xml' },
    ],
    ['depth 1 keeps the name', { from: 'out/deep/y.xml', to: 'r', depth: 1 }, { 'r/y.xml': 'out/deep/y.xml' }],
    ['depth 2 keeps one folder', { from: 'out/deep/y.xml', to: 'r', depth: 2 }, { 'r/deep/y.xml': 'out/deep/y.xml' }],
    [
      'depth beyond the path keeps all',
      { from: 'out/deep/y.xml', to: 'r', depth: 9 },
      { 'r/out/deep/y.xml': 'out/deep/y.xml' },
    ],
    [
      'depth null keeps all',
      { from: 'out/deep/y.xml', to: 'r', depth: null },
      { 'r/out/deep/y.xml': 'out/deep/y.xml' },
    ],
    ['depth without to', { from: 'out/deep/y.xml', depth: 2 }, { 'deep/y.xml': 'out/deep/y.xml' }],
    ['neither to nor depth keeps the path', { from: 'out/x.xml' }, same('out/x.xml')],
    [
      'a folder moved keeps its inside',
      { from: 'out/deep', to: 'r' },
      { 'r/deep/y.xml': 'out/deep/y.xml', 'r/deep/z.dat': 'out/deep/z.dat' },
    ],
    [
      'a glob moved',
      { from: 'out/**/*.xml', to: 'r', depth: 2 },
      { 'r/out/x.xml': 'out/x.xml', 'r/deep/y.xml': 'out/deep/y.xml' },
    ],
  ])('%s', (_title, entry, expected) => {
    expect(chosen([entry])).toEqual(expected);
  });

  it.each<RetrieveEntry>([
    '.wherry',
    '.wherry/exit',
    '.wherry/**',
    '{.wherry,x}/*',
    '.*/exit',
    '**/exit',
    '.wherr[y]/*',
  ])('is never of the folder of Wherry: %j', (entry) => {
    expect(chosen([entry])).toEqual({});
  });

  it('never goes into the folder of Wherry, whatever the job named its own', () => {
    const remote = found('sub/', 'sub/.wherry/', 'sub/.wherry/exit', '.wherry/', '.wherry/exit');
    expect(chosen([{ from: 'sub/.wherry', to: '.' }], remote)).toEqual({});
    expect(chosen([{ from: 'sub/.wherry/exit', depth: 2 }], remote)).toEqual({});
    expect(chosen(['sub/.wherry'], remote)).toEqual(same('sub/.wherry/exit'));
  });

  it('takes a name that looks like a glob and exists at its word, and what it matches as well', () => {
    const remote = found('x[1].dat', 'x1.dat', 'a*', 'ab', '{a,b}', 'b');
    expect(chosen(['x[1].dat'], remote)).toEqual(same('x[1].dat', 'x1.dat'));
    expect(chosen(['a*'], remote)).toEqual(same('a*', 'ab'));
    expect(chosen(['{a,b}'], remote)).toEqual(same('{a,b}', 'b'));
  });

  it('brings a file once that several entries name, and to each place that they give', () => {
    expect(chosen(['a.txt', '*.txt', '**', { from: 'a.txt', to: 'copy' }], found('a.txt'))).toEqual({
      'a.txt': 'a.txt',
      'copy/a.txt': 'a.txt',
    });
  });

  it('keeps the first where two files go to one place', () => {
    const remote = found('one/x', 'two/x');
    expect(
      chosen(
        [
          { from: 'two/x', to: 'r' },
          { from: 'one/x', to: 'r' },
        ],
        remote,
      ),
    ).toEqual({ 'r/x': 'two/x' });
    expect(chosen([{ from: '{one,two}/x', to: 'r' }], remote)).toEqual({ 'r/x': 'one/x' });
  });
});

describe('what is missing', () => {
  it('is a plain name without anything behind it, once for each entry', () => {
    expect(missing(['none', 'a.txt', 'out/none', { from: 'gone/', to: 'r' }])).toEqual(['none', 'out/none', 'gone']);
  });

  it('is no empty folder, no link and no glob without a match', () => {
    expect(missing(['empty', 'link', '*.none', 'none/**', '{x,y}'])).toEqual([]);
  });

  it('is a name in the folder of Wherry, which is as if it were not there', () => {
    expect(missing(['.wherry/exit'])).toEqual(['.wherry/exit']);
  });
});
