import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execute, executeOrFail } from '../../test/rigs/command.js';
import type { BrokerRound } from '../broker.js';

const version = '0.9.0';
const environment = '.work/kiwipy';
const python = join(environment, 'bin/python');
/** The program itself is not compiled: it stands in the sources. */
const program = 'bench/peers/kiwipy-peer.py';

/** Makes a virtual environment with kiwipy when there is none yet. False when Python or the package cannot be had. */
export async function kiwipyIsThere(): Promise<boolean> {
  const check = () => execute([python, '-c', 'import kiwipy.rmq']).catch(() => ({ exitCode: 1 }));
  if (existsSync(python) && (await check()).exitCode === 0) return true;
  await mkdir('.work', { recursive: true });
  try {
    await executeOrFail(['python3', '-m', 'venv', environment], { timeout: 120_000 });
    const packages = [`kiwipy[rmq]==${version}`];
    await executeOrFail([python, '-m', 'pip', 'install', '-q', ...packages], { timeout: 300_000 });
  } catch (error) {
    console.error(`kiwipy is skipped: ${String(error).split('\n')[0]}`);
    return false;
  }
  return (await check()).exitCode === 0;
}

/** One round between two Python processes, with the same counts as ours. */
export async function measureKiwipy(url: string, round: number, counts: object): Promise<BrokerRound> {
  const words = [python, program, url, `kiwipy-${round}`, JSON.stringify(counts)];
  return JSON.parse(await executeOrFail(words, { timeout: 300_000 })) as BrokerRound;
}
