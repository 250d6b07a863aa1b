import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CodeConfig, codeSchema, kindOf } from '../../../src/config/code.js';
import { filesOfFolder, readCodeFile, writeCode } from '../../../src/config/code-file.js';
import { readDocument } from '../../../src/config/document.js';

const read = (text: string) => readDocument(text, { source: 'code.yaml', schema: codeSchema });

describe('a code', () => {
  it.each([
    ['installed', 'label: pw\ncomputer: daint\nexecutable: /apps/pw.x\n'],
    ['portable', 'label: count\nfolder: ./count\nexecutable: bin/count.sh\n'],
    [
      'containerized',
      'label: pw\ncomputer: daint\nimage: qe.sif\nengine: [run, "{image}"]\nexecutable: pw.x\nwrapParameters: true\n',
    ],
  ])('is %s by its keys', (kind, text) => {
    expect(kindOf(read(text))).toBe(kind);
  });

  it.each([
    ['label: a b\nexecutable: /x\n', ['code.yaml:1:8 label:', 'code.yaml:1:1 computer: is missing']],
    ['label: a\ncomputer: c\nexecutable: pw.x\n', ['3:13 executable: must be an absolute path on the computer']],
    ['label: a\ncomputer: c\nexecutable: /apps/\n', ['executable: must be an absolute path']],
    [
      'label: a\nfolder: .\nexecutable: /x\ncomputer: c\n',
      ['computer: cannot be given with a folder', 'a relative path'],
    ],
    ['label: a\nfolder: .\nexecutable: ../x\n', ['executable: must be a relative path in the folder']],
    ['label: a\ncomputer: c\nexecutable: x\nimage: i\n', ['engine: is missing']],
    ['label: a\ncomputer: c\nexecutable: x\nengine: [run, "{image}"]\n', ['image: is missing']],
    ['label: a\ncomputer: c\nexecutable: x\nimage: i\nengine: [run, "{imge}"]\n', ['engine: must have {image}']],
    ['label: a\ncomputer: c\nexecutable: /x\nwrapParameters: true\n', ['wrapParameters: is for containers']],
    ['label: a\ncomputer: c\nexecutabel: /x\n', ['unknown key "executabel" (did you mean "executable"?)']],
    ['label: a\ncomputer: c\nexecutable: 5\nmpi: maybe\n', ['executable: must be text', 'mpi: must be true or false']],
  ])('is refused with all that is wrong with it: %j', (text, messages) => {
    const wrong = () => read(text);
    for (const message of messages) expect(wrong).toThrow(message);
  });

  it('is written as what reads back to the same', () => {
    const text = fc.string({ unit: fc.constantFrom('a', ' ', '\n', '$', '"', "'", ':', '#', '-', '{', '}') });
    const more = {
      ...{ description: text, prepend: text, append: text },
      ...{ mpi: fc.boolean(), doubleQuotes: fc.boolean() },
    };
    const word = text.filter((value) => value !== '');
    const code = fc.oneof(
      fc.record({ computer: fc.constant('daint'), executable: text.map((name) => `/${name}x`), ...more }),
      fc.record({ folder: word, executable: fc.constant('bin/x'), ...more }),
      fc.record({
        ...{ computer: fc.constant('daint'), executable: word, image: word, wrapParameters: fc.boolean(), ...more },
        engine: fc.array(word).map((words) => [...words, 'in {image}']),
      }),
    );
    fc.assert(
      fc.property(code, (given) => {
        const config: CodeConfig = codeSchema.parse({ label: 'pw', ...given });
        expect(read(writeCode(config))).toEqual(config);
      }),
    );
    const plain = codeSchema.parse({ label: 'pw', computer: 'daint', executable: '/pw.x', description: '' });
    expect(writeCode(plain)).toBe('label: pw\ncomputer: daint\nexecutable: /pw.x\n');
  });
});

describe('the folder of a portable code', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'wherry-code-'));
    await mkdir(path.join(folder, 'count/bin'), { recursive: true });
    await writeFile(path.join(folder, 'count/bin/count.sh'), '#!/bin/sh\n', { mode: 0o600 });
    await writeFile(path.join(folder, 'count/data.txt'), 'x');
    await writeFile(path.join(folder, 'code.yaml'), 'label: count\nfolder: ./count\nexecutable: bin/count.sh\n');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const sent = async () => {
    const { config, origin } = await readCodeFile(path.join(folder, 'code.yaml'));
    return filesOfFolder(config, origin);
  };

  it('is found from the folder of the file, and its executable may be run', async () => {
    expect((await sent()).map(({ path, mode }) => [path, mode])).toEqual([
      ['bin/count.sh', 0o755],
      ['data.txt', 0o644],
    ]);
  });

  it.each([
    ['is not there', () => rm(path.join(folder, 'count'), { recursive: true }), '2:9 folder: no such file or folder'],
    ['has no such executable', () => rm(path.join(folder, 'count/bin/count.sh')), '3:13 executable: is no file in'],
    [
      'is a file',
      async () => {
        await rm(path.join(folder, 'count'), { recursive: true });
        await writeFile(path.join(folder, 'count'), '');
      },
      'folder: is a file, not a folder',
    ],
    ['has a link out of it', () => symlink('/etc/passwd', path.join(folder, 'count/p')), 'folder: "'],
    [
      'has names of ours',
      () =>
        mkdir(path.join(folder, 'count/.wherry')).then(() => writeFile(path.join(folder, 'count/.wherry/claim'), '')),
      'folder: has ".wherry/claim"',
    ],
  ])('is refused when it %s', async (_, change, message) => {
    await change();
    await expect(sent()).rejects.toThrow(message);
  });
});
