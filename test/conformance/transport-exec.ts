import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandError, type Connection, quote } from '../../src/plugin.js';
import { freshName, type OpenForTest, oddNames } from './transport.js';

const timeout = 20_000;

/** What `Connection.exec`, `lost` and `close` promise. */
export function execConformance(open: OpenForTest): void {
  describe('exec', () => {
    let connection: Connection;
    let root: string;
    beforeAll(async () => {
      ({ connection, root } = await open());
    });
    afterAll(() => connection.close());

    /** Runs a command that says its process group first, and calls `then` once it has. */
    async function whenStarted(script: string, then: () => void, signal?: AbortSignal, limit = timeout) {
      let output = '';
      const onStdout = (chunk: Buffer) => {
        output += chunk.toString();
        if (output.includes('\n')) then();
      };
      const options = { timeout: limit, onStdout, ...(signal && { signal }) };
      const command = `sed 's/.*) //' /proc/$$/stat | cut -d ' ' -f 3; ${script}`;
      const error = await connection.exec(command, options).catch((thrown: unknown) => thrown);
      return { error, group: output.split('\n')[0] ?? '' };
    }

    /** Waits until no process of the group runs: children of the command must be gone as well. */
    async function isGone(group: string): Promise<void> {
      expect(group).toMatch(/^\d+$/);
      const anyRuns = `awk '$3 == ${group} && $1 != "Z" { found = 1 } END { exit !found }'`;
      const script = `while sed 's/.*) //' /proc/[0-9]*/stat 2>/dev/null | ${anyRuns}; do sleep 0.05; done`;
      expect((await connection.exec(script, { timeout })).exitCode).toBe(0);
    }

    it('gives output, exit code and duration', async () => {
      const result = await connection.exec('echo out; echo err >&2; exit 3', { timeout });
      expect(result).toMatchObject({ stdout: 'out\n', stderr: 'err\n', exitCode: 3, signal: null });
      expect(result.durationMs).toBeGreaterThan(0);
    });

    it('gives the signal that ended the command', async () => {
      const result = await connection.exec('kill -9 $$', { timeout });
      expect(result).toMatchObject({ exitCode: null, signal: 'SIGKILL' });
    });

    it('runs a POSIX shell whatever the login shell is', async () => {
      const script =
        'x=a; y=$x:b; set -- "$(expr "$y" : "\\(.*\\):")" "$((1 + 2))"; if [ "$1" = a ]; then printf "%s" "$*"; fi';
      expect((await connection.exec(script, { timeout })).stdout).toBe('a 3');
    });

    it('runs scripts of several lines with quotes and a here-document', async () => {
      const script = "cat <<'END'\n$HOME `x` \\ '\"'\nEND\necho 'a\nb'";
      expect((await connection.exec(script, { timeout })).stdout).toBe("$HOME `x` \\ '\"'\na\nb\n");
    });

    it('reads nothing when no input is given', async () => {
      expect((await connection.exec('cat; echo end', { timeout })).stdout).toBe('end\n');
    });

    it('gives the command text, bytes or a stream to read', async () => {
      expect((await connection.exec('cat', { timeout, stdin: 'Grüße\n' })).stdout).toBe('Grüße\n');
      const bytes = Buffer.alloc(1_000_000, 'x');
      expect((await connection.exec('wc -c', { timeout, stdin: bytes })).stdout.trim()).toBe('1000000');
      const stream = Readable.from([Buffer.from('one '), Buffer.from('two')]);
      expect((await connection.exec('cat', { timeout, stdin: stream })).stdout).toBe('one two');
    });

    it('passes 5 MB through each of stdin, stdout and stderr at once', async () => {
      const stdin = Readable.from(Array.from({ length: 80 }, () => Buffer.from(`${'y'.repeat(1023)}\n`.repeat(64))));
      const size = 80 * 65_536;
      const result = await connection.exec(`awk '{ print; print > "/dev/stderr" }'`, { timeout, stdin });
      expect([result.stdout.length, result.stderr.length]).toEqual([size, size]);
    });

    it('does not deadlock when both outputs are written in turns', async () => {
      const script = `awk 'BEGIN { s = sprintf("%1023s", ""); for (i = 0; i < 5120; i++) { print s; print s > "/dev/stderr" } }'`;
      const result = await connection.exec(script, { timeout });
      expect([result.stdout.length, result.stderr.length]).toEqual([5_242_880, 5_242_880]);
    });

    it('keeps multi-byte characters whole across chunks, and replaces bytes that are no UTF-8', async () => {
      const text = 'ä世🚢'.repeat(50_000);
      expect((await connection.exec('cat', { timeout, stdin: text })).stdout).toBe(text);
      expect((await connection.exec(String.raw`printf 'a\377b'`, { timeout })).stdout).toBe('a\u{fffd}b');
    });

    it('takes it calmly when the command does not read its input', async () => {
      const stdin = Readable.from(Array.from({ length: 100 }, () => Buffer.alloc(65_536)));
      const result = await connection.exec('exec <&-; exit 4', { timeout, stdin });
      expect(result.exitCode).toBe(4);
      expect(stdin.destroyed).toBe(true);
    });

    it('ends although the stream that it should read from never does', async () => {
      const stdin = new Readable({ read: () => undefined });
      expect((await connection.exec('exit 5', { timeout, stdin })).exitCode).toBe(5);
    });

    it('never takes input that failed for input that ended', async () => {
      const place = `${root}/${freshName()}`;
      const stdin = Readable.from(
        (async function* () {
          yield Buffer.from('half');
          throw new Error('the disk is gone');
        })(),
      );
      const script = `cat >/dev/null && touch ${quote(place)}`;
      await expect(connection.exec(script, { timeout, stdin })).rejects.toThrow('the disk is gone');
      expect((await connection.exec(`[ -e ${quote(place)} ]`, { timeout })).exitCode).toBe(1);
    });

    it('hands stdout on as it comes, waiting for its taker', async () => {
      let taking = 0;
      let size = 0;
      const onStdout = async (chunk: Buffer) => {
        taking++;
        expect(taking).toBe(1);
        await new Promise((resolve) => setImmediate(resolve));
        size += chunk.length;
        taking--;
      };
      const result = await connection.exec('head -c 3000000 /dev/zero; echo end >&2', { timeout, onStdout });
      expect(result).toMatchObject({ stdout: '', stderr: 'end\n', exitCode: 0 });
      expect(size).toBe(3_000_000);
    });

    it('stops the command when the taker of its output throws', async () => {
      const onStdout = () => {
        throw new Error('enough');
      };
      await expect(connection.exec('yes', { timeout, onStdout })).rejects.toThrow('enough');
    });

    it('refuses more output than allowed, and keeps the start of it', async () => {
      const error = await connection.exec('yes', { timeout, maxOutput: 10_000 }).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'output-too-large' });
      const errors = await connection
        .exec('yes >&2', { timeout, maxOutput: 10_000 })
        .catch((thrown: unknown) => thrown);
      expect(errors).toMatchObject({ code: 'output-too-large' });
      const exact = await connection.exec('head -c 10000 /dev/zero', { timeout, maxOutput: 10_000 });
      expect(exact.stdout.length).toBe(10_000);
    });

    it('ends a command and its children at the deadline', async () => {
      const { error, group } = await whenStarted('sleep 300 & sleep 300', () => undefined, undefined, 500);
      expect(error).toBeInstanceOf(CommandError);
      expect(error).toMatchObject({ code: 'timed-out', transient: true });
      await isGone(group);
    });

    it('ends a command on request', async () => {
      const controller = new AbortController();
      const stop = () => controller.abort();
      const { error, group } = await whenStarted('sleep 300 & sleep 300', stop, controller.signal);
      expect(error).toMatchObject({ code: 'aborted' });
      await isGone(group);
    });

    it('ends a command that does not want to', async () => {
      const controller = new AbortController();
      const script = `trap '' TERM HUP INT PIPE; echo ready; while :; do sleep 0.1; done`;
      const { error, group } = await whenStarted(script, () => controller.abort(), controller.signal);
      expect(error).toMatchObject({ code: 'aborted' });
      await isGone(group);
    });

    it('starts nothing when it was stopped before', async () => {
      const place = `${root}/${freshName()}`;
      const signal = AbortSignal.abort();
      await expect(connection.exec(`touch ${place}`, { timeout, signal })).rejects.toMatchObject({ code: 'aborted' });
      expect((await connection.exec(`[ -e ${place} ]`, { timeout })).exitCode).toBe(1);
    });

    it.each(oddNames)('runs in a directory named %j', async (name) => {
      const directory = `${root}/${freshName()}/${name}`;
      await connection.makeDirectory(directory, { timeout });
      const script = 'printf %s "$PWD"; [ ! -e injected ] && [ ! -e ../injected ]';
      const { stdout, exitCode } = await connection.exec(script, { timeout, directory });
      expect([stdout.endsWith(directory), exitCode]).toEqual([true, 0]);
    });

    it('says when the directory to run in is missing', async () => {
      const directory = `${root}/${freshName()}`;
      await expect(connection.exec('true', { timeout, directory })).rejects.toMatchObject({ code: 'file-missing' });
    });

    it('runs several commands at once', async () => {
      const numbers = [1, 2, 3, 4, 5, 6, 7, 8];
      const results = await Promise.all(numbers.map((n) => connection.exec(`echo ${n}`, { timeout })));
      expect(results.map((result) => result.stdout)).toEqual(numbers.map((n) => `${n}\n`));
    });

    it('knows its user and home', async () => {
      const { stdout } = await connection.exec('id -un; cd && pwd', { timeout });
      expect(stdout).toBe(`${connection.user}\n${connection.home}\n`);
    });
  });

  describe('close', () => {
    it('ends what runs, tells so, and refuses more', async () => {
      const { connection } = await open();
      expect(connection.lost.aborted).toBe(false);
      let started = () => {};
      const running = new Promise<void>((resolve) => {
        started = resolve;
      });
      const command = connection
        .exec('echo ready; sleep 300', { timeout, onStdout: () => started() })
        .catch((thrown: unknown) => thrown);
      await running;
      await connection.close();
      await connection.close();
      expect(await command).toMatchObject({ code: 'connection-lost', transient: true });
      expect(connection.lost.aborted).toBe(true);
      expect(connection.lost.reason).toMatchObject({ code: 'connection-lost' });
      await expect(connection.exec('true', { timeout })).rejects.toMatchObject({ code: 'connection-lost' });
    });
  });
}
