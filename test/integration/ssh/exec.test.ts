import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Connection } from '../../../src/plugin.js';
import transport from '../../../transports/ssh/index.js';
import { type Sshd, startSshd } from '../../rigs/sshd.js';

const timeout = 20_000;
let sshd: Sshd;
let connection: Connection;

beforeAll(async () => {
  sshd = await startSshd({ maxSessions: 2 });
  connection = await transport.open(sshd.connection, { timeout });
});

afterAll(async () => {
  await connection?.close();
  await sshd?.stop();
});

describe('a command', () => {
  test('gives both streams and its exit code', async () => {
    const result = await connection.exec('echo out; echo err >&2; exit 3', { timeout });
    expect(result).toMatchObject({ stdout: 'out\n', stderr: 'err\n', exitCode: 3, signal: null });
  });

  test('runs in its directory', async () => {
    const result = await connection.exec('pwd', { directory: '/usr/lib', timeout });
    expect(result.stdout).toBe('/usr/lib\n');
    const missing = connection.exec('echo ran', { directory: '/no/such place', timeout });
    await expect(missing).rejects.toMatchObject({ code: 'file-missing' });
  });

  test('of many lines keeps here-documents, quotes and its arguments', async () => {
    const script = `echo "it's \\ ! $#"\ncat <<'END'\na\\nb  !!\n\nEND\n`;
    expect((await connection.exec(script, { timeout })).stdout).toBe("it's \\ ! 0\na\\nb  !!\n\n");
  });

  test('with a syntax error fails like any other', async () => {
    const result = await connection.exec('if (', { timeout });
    expect(result.exitCode).not.toBe(0);
    expect(result.stderr).toMatch(/syntax error/i);
  });

  test('longer than a command line may be runs, with and without input', async () => {
    const script = `x=1\n${'# filler\n'.repeat(20_000)}echo $x; cat`;
    expect((await connection.exec(script, { timeout })).stdout).toBe('1\n');
    expect((await connection.exec(script, { stdin: 'more', timeout })).stdout).toBe('1\nmore');
  });

  test('says which signal ended it', async () => {
    expect(await connection.exec('kill -KILL $$', { timeout })).toMatchObject({ exitCode: null, signal: 'SIGKILL' });
  });

  test('reads nothing when it is given nothing', async () => {
    expect((await connection.exec('cat; echo end', { timeout })).stdout).toBe('end\n');
  });

  test('may end without reading its input', async () => {
    const result = await connection.exec('exit 5', { stdin: Buffer.alloc(8 * 1024 * 1024), timeout });
    expect(result.exitCode).toBe(5);
  });

  test('streams input and output with back-pressure, byte for byte', async () => {
    const block = Buffer.from(Array.from({ length: 65_536 }, (_, index) => index % 256));
    const sent = createHash('sha256');
    const source = Readable.from(
      (function* () {
        for (let index = 0; index < 256; index++) {
          sent.update(block);
          yield block;
        }
      })(),
    );
    const received = createHash('sha256');
    let active = 0;
    const result = await connection.exec('cat', {
      stdin: source,
      timeout: 60_000,
      onStdout: async (chunk) => {
        expect(++active).toBe(1);
        await new Promise(setImmediate);
        received.update(chunk);
        active--;
      },
    });
    expect(result).toMatchObject({ stdout: '', exitCode: 0 });
    expect(received.digest('hex')).toBe(sent.digest('hex'));
  });

  test('that prints too much is stopped', async () => {
    const promise = connection.exec('yes', { maxOutput: 100_000, timeout });
    await expect(promise).rejects.toMatchObject({ code: 'output-too-large', transient: false });
  });

  test('is stopped when its reader throws', async () => {
    const onStdout = () => {
      throw new Error('enough');
    };
    await expect(connection.exec('yes', { onStdout, timeout })).rejects.toThrow('enough');
  });
});

describe('a command that is given up', () => {
  test('after its time has ended on the computer too, with its children', async () => {
    const script = 'echo $$ > pid; sh -c "trap : TERM; while :; do sleep 0.1; done" & wait';
    const promise = connection.exec(script, { directory: sshd.home, timeout: 700 });
    await expect(promise).rejects.toMatchObject({
      code: 'timed-out',
      transient: true,
      failure: { command: script, directory: sshd.home },
    });
    await expectEnded('pid');
  });

  test('on request has ended on the computer too', async () => {
    const controller = new AbortController();
    const script = 'echo $$ > pid2; echo go; exec sleep 1000';
    const promise = connection.exec(script, {
      directory: sshd.home,
      timeout,
      signal: controller.signal,
      onStdout: () => controller.abort(),
    });
    await expect(promise).rejects.toMatchObject({ code: 'aborted' });
    await expectEnded('pid2');
  });

  test('before it began is not begun', async () => {
    const promise = connection.exec('echo never > begun', {
      directory: sshd.home,
      timeout,
      signal: AbortSignal.abort(),
    });
    await expect(promise).rejects.toMatchObject({ code: 'aborted' });
    expect((await connection.exec('cat begun', { directory: sshd.home, timeout })).exitCode).not.toBe(0);
  });

  async function expectEnded(file: string): Promise<void> {
    const script = `pid=$(cat ${file}); for i in $(seq 50); do pgrep -g $pid >/dev/null || exit 0; sleep 0.1; done; exit 1`;
    expect(await connection.exec(script, { directory: sshd.home, timeout })).toMatchObject({ exitCode: 0 });
  }
});

describe('sessions', () => {
  test('20 commands at once over a server that allows 2 all succeed', async () => {
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) => connection.exec(`echo ${index}`, { timeout: 30_000 })),
    );
    expect(results.map((result) => result.stdout)).toEqual(Array.from({ length: 20 }, (_, index) => `${index}\n`));
  });

  test('that stay taken are back-pressure', { timeout: 60_000 }, async () => {
    const controller = new AbortController();
    const hold = () => {
      const begun = new AbortController();
      const ended = connection.exec('echo begun; exec sleep 100', {
        timeout: 60_000,
        signal: controller.signal,
        onStdout: () => begun.abort(),
      });
      return { begun: once(begun.signal, 'abort'), ended: ended.catch((error: unknown) => error) };
    };
    const held = [hold(), hold()];
    await Promise.all(held.map((command) => command.begun));
    const refused = connection.exec('true', { timeout: 30_000 });
    await expect(refused).rejects.toMatchObject({ code: 'back-pressure', transient: true });
    controller.abort();
    await Promise.all(held.map((command) => command.ended));
    expect((await connection.exec('echo free', { timeout })).stdout).toBe('free\n');
  });
});
