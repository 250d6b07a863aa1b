import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ComputerRow } from '../../src/store/tables.js';
import { startProfile, type TestProfile } from './profile.js';
import { type Slurm, type SlurmOptions, startSlurm } from './slurm.js';
import { type Sshd, type SshdOptions, startSshd } from './sshd.js';

export interface Cluster extends TestProfile {
  readonly slurm: Slurm;
  readonly sshd: Sshd;
  /** A Slurm computer over ssh, polled each second and without a pause between connections. */
  readonly computer: ComputerRow;
  /** Adds another such computer, reached in another way or with other limits. */
  addCluster(label: string, changes?: ClusterChanges): Promise<ComputerRow>;
}

export interface ClusterChanges {
  readonly connection?: Record<string, unknown>;
  /** Port through which the server is reached, such as that of a proxy. */
  readonly port?: number;
  readonly limits?: Record<string, unknown>;
}

/** A real Slurm behind a real sshd, and a profile that knows them. */
export async function startCluster(options: { slurm?: SlurmOptions; sshd?: SshdOptions } = {}): Promise<Cluster> {
  const stack = new AsyncStack();
  try {
    const slurm = stack.add(await startSlurm(options.slurm));
    const sshd = stack.add(
      await startSshd({ ...options.sshd, environment: { ...slurm.environment, ...options.sshd?.environment } }),
    );
    const profile = stack.add(await startProfile());
    const addCluster: Cluster['addCluster'] = async (label, changes = {}) =>
      profile.addComputer({
        label,
        transport: 'ssh',
        connection: {
          ...sshd.connection,
          ...(changes.port === undefined ? {} : await throughPort(sshd, changes.port, profile.directory)),
          ...changes.connection,
        },
        scheduler: 'slurm',
        workDirectory: `${sshd.home}/wherry`,
        limits: { minPollInterval: 1, safeOpenInterval: 0, ...changes.limits },
      });
    const computer = await addCluster('cluster');
    return { ...profile, slurm, sshd, computer, addCluster, [Symbol.asyncDispose]: () => stack[Symbol.asyncDispose]() };
  } catch (error) {
    await stack[Symbol.asyncDispose]();
    throw error;
  }
}

/** Settings that reach the server through another port, under which its key must be known as well. */
async function throughPort(sshd: Sshd, port: number, directory: string) {
  const knownHostsFile = path.join(directory, `known_hosts.${port}`);
  const known = await readFile(sshd.knownHostsFile, 'utf8');
  await writeFile(knownHostsFile, known.replaceAll(`:${sshd.port} `, `:${port} `));
  return { port, knownHostsFile };
}

/** Disposes of what was added, last first. */
class AsyncStack implements AsyncDisposable {
  readonly #parts: AsyncDisposable[] = [];

  add<T extends AsyncDisposable>(part: T): T {
    this.#parts.push(part);
    return part;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const part of this.#parts.reverse()) await part[Symbol.asyncDispose]();
  }
}
