import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readLines } from '../../../src/daemon/line-reader.js';
import { RotatingLog } from '../../../src/daemon/log.js';

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'wherry-log-'));
  file = path.join(directory, 'daemon.log');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const messages = (name = file) =>
  readFileSync(name, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { message: string }).message);

describe('a line of the log', () => {
  it('has no character that a terminal obeys, and says the same when it is read', () => {
    const lines: string[] = [];
    using log = new RotatingLog(file, { echo: (line) => lines.push(line) });
    const message = '\u001b[31mred\u0007 \u009b2J \u007f \u202egnp.exe \u2028 zürich 船 \ud800';
    log.write({ level: 'warning', message });
    const text = readFileSync(file, 'utf8');
    expect(text).not.toMatch(/[^\P{Cc}\n]|\p{Bidi_Control}|[\u2028\u2029]/u);
    expect(text).toContain('zürich 船');
    expect(messages()).toEqual([message]);
    expect(lines).toEqual([text]);
  });
});

describe('a log that cannot be written', () => {
  /** Uses up all that is left of a small disk. */
  const fill = (disk: string) => {
    try {
      for (;;) appendFileSync(path.join(disk, 'filler'), Buffer.alloc(4_096));
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
    }
  };

  it.skipIf(process.getuid?.() !== 0)(
    'because the disk is full goes on when there is space again, and keeps what it had',
    () => {
      const disk = path.join(directory, 'disk');
      mkdirSync(disk);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,nr_inodes=3', 'tmpfs', disk]);
      try {
        const name = path.join(disk, 'daemon.log');
        using log = new RotatingLog(name, { bytes: 6_000, generations: 2 });
        log.write({ level: 'info', message: `first ${'x'.repeat(3_000)}` });
        fill(disk);
        // These fill the rest of the last page, then nothing fits, not even the file that would follow.
        for (let count = 0; count < 10; count++) log.write({ level: 'info', message: `lost ${'y'.repeat(2_000)}` });
        expect(existsSync(`${name}.1`)).toBe(false);
        rmSync(path.join(disk, 'filler'));
        log.write({ level: 'info', message: 'space again' });
        log.write({ level: 'info', message: 'and on' });
        const all = [`${name}.1`, name].filter(existsSync).flatMap((each) =>
          readFileSync(each, 'utf8')
            .split('\n')
            .flatMap((line) => {
              try {
                return [(JSON.parse(line) as { message: string }).message];
              } catch {
                return [];
              }
            }),
        );
        expect(all[0]).toMatch(/^first/);
        expect(all.at(-3)).toMatch(/^\d+ lines before this one were lost: .*(no space|ENOSPC)/);
        expect(all.slice(-2)).toEqual(['space again', 'and on']);
      } finally {
        execFileSync('umount', ['--lazy', disk]);
      }
    },
  );

  it('because its folder has gone does not end the one who writes', () => {
    const folder = path.join(directory, 'here');
    mkdirSync(folder);
    using log = new RotatingLog(path.join(folder, 'daemon.log'), { bytes: 200 });
    log.write({ level: 'info', message: 'before' });
    renameSync(folder, path.join(directory, 'elsewhere'));
    for (let count = 0; count < 5; count++) log.write({ level: 'info', message: `meanwhile ${count}` });
    renameSync(path.join(directory, 'elsewhere'), folder);
    log.write({ level: 'info', message: 'after' });
    expect(messages(path.join(folder, 'daemon.log')).at(-1)).toBe('after');
  });
});

describe('what a program prints', () => {
  async function linesOf(...chunks: (Buffer | string)[]): Promise<string[]> {
    const stream = new PassThrough();
    const lines: string[] = [];
    readLines(stream, (line) => lines.push(line));
    for (const chunk of chunks) stream.write(chunk);
    stream.end();
    await new Promise((resolve) => stream.once('close', resolve));
    return lines;
  }

  it('comes line by line, however it was cut, without empty ones', async () => {
    const text = Buffer.from('zürich\n\n  two\r\nlast');
    expect(await linesOf(text.subarray(0, 2), text.subarray(2))).toEqual(['zürich', '  two', 'last']);
  });

  it('is cut when a line does not end, and takes no room meanwhile', async () => {
    const stream = new PassThrough();
    const lines: string[] = [];
    readLines(stream, (line) => lines.push(line));
    const chunk = Buffer.alloc(2 ** 20, 'x');
    const before = process.memoryUsage().heapUsed;
    for (let count = 0; count < 200; count++) {
      if (!stream.write(chunk)) await new Promise((resolve) => stream.once('drain', resolve));
    }
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(50e6);
    stream.end('\nnext\n');
    await new Promise((resolve) => stream.once('close', resolve));
    expect(lines).toHaveLength(2);
    expect(lines[0]?.length).toBeLessThan(5_000);
    expect(lines[0]).toContain(`(${200 * 2 ** 20 - 4_096} more characters)`);
    expect(lines[1]).toBe('next');
  });

  it('may be no text at all', async () => {
    const lines = await linesOf(Buffer.from([0xff, 0xfe, 0x00, 0x1b, 0x0a, 0xc3]), Buffer.from([0x28, 0x0a]));
    expect(lines).toEqual(['\ufffd\ufffd\u0000\u001b', '\ufffd(']);
  });
});
