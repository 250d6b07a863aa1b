import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { frameCommand, frameMarker, quoteForAnyShell } from '../../../../transports/ssh/command-text.js';
import { FrameReader } from '../../../../transports/ssh/frame.js';

const run = promisify(execFile);
const shells = ['sh', 'bash', 'dash', 'zsh', 'csh', 'tcsh', 'fish', 'ksh'].filter((shell) => {
  try {
    execFileSync('which', [shell], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});

const nasty = fc.string({
  unit: fc.oneof(
    fc.constantFrom(
      "'",
      '"',
      '\\',
      '!',
      '$',
      '`',
      ' ',
      '\t',
      '*',
      '~',
      '#',
      '%',
      '{',
      '}',
      '^',
      '=',
      ';',
      '\r',
      'é',
      '🚢',
    ),
    fc.constantFrom('$x', '$(echo no)', '!!', '\\\\', "\\'", '%d', 'a', 'B', '-', '\u0001', '\u001b'),
  ),
  maxLength: 40,
});
const lines = fc.array(nasty, { minLength: 1, maxLength: 6 }).map((parts) => parts.join('\n'));
const environment = { PATH: process.env.PATH, HOME: '/nonexistent' };

async function runFramed(shell: string, script: string, framing: { directory?: string; loginShell?: boolean } = {}) {
  const token = '0123456789abcdef';
  const command = frameCommand(script, { token, hasStdin: false, loginShell: false, ...framing });
  const promise = run(shell, ['-c', command.line], { env: environment, encoding: 'buffer' });
  // A shell that has ended already takes not even nothing.
  promise.child.stdin?.on('error', () => undefined).end(command.stdinPrefix);
  const { stdout, stderr } = await promise;
  const read = (bytes: Buffer) => new FrameReader(frameMarker(token)).push(bytes)?.toString() ?? '';
  return { stdout: read(stdout), stderr: read(stderr), line: command.line };
}

describe.each(shells)('as login shell, %s', (shell) => {
  test('reads every quoted word as it was', { timeout: 60_000 }, async () => {
    const property = fc.asyncProperty(fc.array(nasty, { minLength: 1, maxLength: 5 }), async (words) => {
      const line = ['exec', '/usr/bin/printf', '%s\\0', ...words].map(quoteForAnyShell).join(' ');
      const { stdout } = await run(shell, ['-c', line], { env: environment });
      expect(stdout).toBe(words.map((word) => `${word}\0`).join(''));
    });
    await fc.assert(property, { numRuns: 60 });
  });

  test('runs every script as it was', { timeout: 60_000 }, async () => {
    const property = fc.asyncProperty(lines, async (content) => {
      const script = `cat <<'END_OF_TEXT'\n${content}\nEND_OF_TEXT\necho "$# $0" >&2`;
      const { stdout, stderr } = await runFramed(shell, script);
      expect(stdout).toBe(`${content}\n`);
      expect(stderr).toMatch(/^0 \S*sh\n$/);
    });
    await fc.assert(property, { numRuns: 40 });
  });

  test('runs scripts of one line, of 300 KB, in odd directories and in a login environment', async () => {
    expect((await runFramed(shell, 'echo "a  !b \\\\ $#"')).stdout).toBe('a  !b \\ 0\n');
    expect((await runFramed(shell, `${': !\n'.repeat(75_000)}echo "$#"; cat`)).stdout).toBe('0\n');
    expect((await runFramed(shell, 'pwd', { directory: '/usr' })).stdout).toBe('/usr\n');
    expect((await runFramed(shell, 'echo $0\necho "$#"', { loginShell: true })).stdout).toBe('sh\n0\n');
  });
});

test('a script that came only in part is not run', async () => {
  const script = `echo begun\n${'#\n'.repeat(50_000)}`;
  const command = frameCommand(script, { token: 'abc', hasStdin: false, loginShell: false });
  const promise = run('sh', ['-c', command.line]);
  promise.child.stdin?.on('error', () => undefined).end(command.stdinPrefix.slice(0, -5));
  await expect(promise).rejects.toMatchObject({ code: 255, stdout: expect.not.stringContaining('begun') });
});

test('NUL is refused', () => {
  expect(() => quoteForAnyShell('a\0b')).toThrow(/NUL/);
  expect(() => frameCommand('a\0b', { token: 'x', hasStdin: false, loginShell: false })).toThrow(/NUL/);
});

describe('the frame', () => {
  test('finds its marker however the stream is cut, and drops what came before', () => {
    const property = fc.property(
      fc.uint8Array({ maxLength: 60 }),
      fc.uint8Array({ maxLength: 60 }),
      fc.array(fc.nat(200), { maxLength: 8 }),
      (noise, output, cuts) => {
        const stream = Buffer.concat([noise, Buffer.from('wherry-42 123 0\n'), output]);
        const reader = new FrameReader('wherry-42');
        const parts: Buffer[] = [];
        const places = [0, ...cuts.filter((cut) => cut < stream.length).sort((a, b) => a - b), stream.length];
        for (let index = 1; index < places.length; index++) {
          const part = reader.push(stream.subarray(places[index - 1], places[index]));
          if (part) parts.push(part);
        }
        expect(Buffer.concat(parts)).toEqual(Buffer.from(output));
        expect(reader).toMatchObject({ started: true, processId: 123, inDirectory: true });
      },
    );
    fc.assert(property);
  });

  test('keeps the beginning of the noise for the error when no marker comes', () => {
    const reader = new FrameReader('wherry-42');
    expect(reader.push(Buffer.from('This account is '))).toBeUndefined();
    expect(reader.push(Buffer.from('not available.\n'))).toBeUndefined();
    expect(reader).toMatchObject({ started: false, noise: 'This account is not available.\n' });
  });

  test('is not fooled by a shell that shows the command line', () => {
    const { line } = frameCommand('true', { token: '42', hasStdin: false, loginShell: false });
    const reader = new FrameReader(frameMarker('42'));
    expect(reader.push(Buffer.from(`+ ${line}\n`))).toBeUndefined();
    expect(reader.started).toBe(false);
  });
});
