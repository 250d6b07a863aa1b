import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { daemonStatus, stopDaemon } from '../../../src/daemon/client.js';
import { isAlive, livingHolder, recordHolder } from '../../../src/daemon/holder.js';
import { daemonPlaces } from '../../../src/daemon/places.js';
import { startTimeOf } from '../../../src/store/leases.js';

let directory: string;
let child: ChildProcess | undefined;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'wherry-holder-'));
});
afterEach(async () => {
  if (child !== undefined && child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
  child = undefined;
  await rm(directory, { recursive: true, force: true });
});

/** A program that listens where a daemon does, says nothing, and is written down as the holder. */
async function startDeaf(onTerm: string): Promise<number> {
  const { socketFile, holderFile } = daemonPlaces({ directory });
  const program = `process.on('SIGTERM', () => { ${onTerm} }); require('net').createServer(() => {}).listen(${JSON.stringify(socketFile)}, () => console.log('listening'))`;
  child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  if (child.stdout !== null) await once(child.stdout, 'data');
  const pid = child.pid ?? 0;
  await writeFile(holderFile, JSON.stringify({ pid, host: hostname(), startTime: startTimeOf(pid) }));
  return pid;
}

describe('the holder of a daemon', () => {
  it('is written down as long as it holds', () => {
    const { holderFile } = daemonPlaces({ directory });
    expect(livingHolder(holderFile)).toBeUndefined();
    const record = recordHolder(holderFile);
    expect(livingHolder(holderFile)).toMatchObject({ pid: process.pid, host: hostname() });
    record[Symbol.dispose]();
    expect(existsSync(holderFile)).toBe(false);
  });

  it('is not another program with its pid, nor one of another host, nor what cannot be read', async () => {
    const { holderFile } = daemonPlaces({ directory });
    const own = { pid: process.pid, host: hostname(), startTime: startTimeOf(process.pid) ?? '' };
    expect(isAlive(own)).toBe(true);
    for (const other of [{ ...own, startTime: `${own.startTime}1` }, { ...own, host: 'elsewhere' }, { pid: own.pid }]) {
      await writeFile(holderFile, JSON.stringify(other));
      expect(livingHolder(holderFile)).toBeUndefined();
      expect(await stopDaemon({ directory }, 10)).toBeUndefined();
    }
    await writeFile(holderFile, '{');
    expect(livingHolder(holderFile)).toBeUndefined();
  });
});

describe('a supervisor that does not answer', () => {
  it('is told by its pid, and ended by SIGTERM', async () => {
    const pid = await startDeaf('process.exit(0)');
    await expect(daemonStatus({ directory }, 100)).rejects.toMatchObject({
      code: 'daemon-failed',
      message: expect.stringContaining(`pid ${pid}`),
      hint: expect.stringContaining('wherry daemon stop'),
    });
    const said: string[] = [];
    const stopped = await stopDaemon({ directory }, 10_000, (sentence) => said.push(sentence));
    expect(stopped).toEqual({ killedWorkers: 0, forced: { pid, signal: 'SIGTERM' } });
    expect(said.join()).toContain('does not answer');
  });

  it('is killed when SIGTERM does not end it in time', async () => {
    const pid = await startDeaf('');
    expect(await stopDaemon({ directory }, 300)).toEqual({ killedWorkers: 0, forced: { pid, signal: 'SIGKILL' } });
    expect(startTimeOf(pid)).toBeUndefined();
  });
});
