import { accessSync, constants, existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecResult } from '../../src/plugin.js';
import { type CommandOptions, execute, executeOrFail } from './command.js';
import { type Daemon, freePorts, listens, startDaemon, waitUntil } from './daemon.js';
import { accountingCommands, databaseStart, ended, startDatabaseServer } from './slurm-accounting.js';
import { removeCgroups, stopJobSteps } from './slurm-cleanup.js';
import {
  cgroupConfiguration,
  databaseConfiguration,
  partitions,
  type SlurmLayout,
  slurmConfiguration,
} from './slurm-configuration.js';
import { isRoot, type TestUser, testUser } from './test-user.js';

export interface SlurmOptions {
  /** slurmdbd and MariaDB, with associations enforced. Default true. */
  readonly accounting?: boolean;
  /** Seconds for which squeue still knows an ended job. Default 120. */
  readonly minJobAge?: number;
  /** Most jobs that the controller keeps. Default 10 000. */
  readonly maxJobCount?: number;
  /** Seconds until a client gives a silent controller up. Default 10. */
  readonly messageTimeout?: number;
}

export type SlurmDaemonName = 'munged' | 'database' | 'slurmdbd' | 'slurmctld' | `node${1 | 2 | 3}`;

/** A real Slurm on the loopback, with a folder, keys, ports and a database of its own. */
export interface Slurm extends AsyncDisposable {
  /** What client commands need in their environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly folder: string;
  readonly partitions: typeof partitions;
  readonly account: 'proj1';
  /** A qos with at most two submitted jobs per user. */
  readonly limitedQos: 'limited';
  readonly user: TestUser;
  readonly nodeNames: readonly string[];
  /** Can a job end as OUT_OF_MEMORY? Needs root and cgroup version 1. */
  readonly canOutOfMemory: boolean;
  readonly daemons: ReadonlyMap<SlurmDaemonName, Daemon>;
  /** Runs a client command as administrator. */
  run(words: readonly string[], options?: CommandOptions): Promise<ExecResult>;
  /** Runs a command as the test user, in the user's home unless told otherwise. */
  runAsUser(words: readonly string[], options?: CommandOptions): Promise<ExecResult>;
  /** Lets the job run into its time limit; the controller looks every 30 seconds. */
  setTimeLimitNow(jobId: string): Promise<void>;
  /** Starts a daemon again that was stopped. */
  restart(name: SlurmDaemonName): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a Slurm of three nodes and returns when all of them are idle. */
export async function startSlurm(options: SlurmOptions = {}): Promise<Slurm> {
  const user = await testUser();
  const folder = await mkdtemp(join(tmpdir(), 'wherry-slurm-'));
  const layout = await layOut(folder, user, options);
  const environment = { SLURM_CONF: join(folder, 'slurm.conf'), PATH: searchPath };
  const daemons = new Map<SlurmDaemonName, Daemon>();
  const stop = () => stopAll(layout, environment, daemons);
  try {
    await writeFiles(layout);
    await startDaemons(layout, environment, daemons, user);
  } catch (error) {
    await stop();
    throw error;
  }
  const as = isRoot ? { uid: user.uid, gid: user.gid } : undefined;
  const withEnvironment = (more: CommandOptions = {}) => ({
    timeout: 30_000,
    ...more,
    environment: { ...environment, ...more.environment },
  });
  const run = (words: readonly string[], more?: CommandOptions) => execute(words, withEnvironment(more));
  return {
    environment,
    folder,
    partitions,
    account: 'proj1',
    limitedQos: 'limited',
    user,
    nodeNames: layout.nodes,
    canOutOfMemory: layout.cgroups,
    daemons,
    run,
    runAsUser: (words, more = {}) => {
      const identity = { HOME: user.home, USER: user.name, LOGNAME: user.name };
      const merged = { ...more, environment: { ...identity, ...more.environment } };
      return execute(words, { as, directory: user.home, ...withEnvironment(merged) });
    },
    async setTimeLimitNow(jobId) {
      await executeOrFail(['scontrol', 'update', `JobId=${jobId}`, 'EndTime=now'], withEnvironment());
    },
    restart: (name) => start(name, layout, environment, daemons),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

const searchPath = `/usr/sbin:/sbin:${process.env.PATH ?? '/usr/bin:/bin'}`;

async function layOut(folder: string, user: TestUser, options: SlurmOptions): Promise<SlurmLayout> {
  const [controller, database, daemon, server, ...nodePorts] = await freePorts(7);
  if (!controller || !database || !daemon || !server) throw new Error('there are not enough free ports');
  // The names are those of the nodes' cgroups too, so they must differ between rigs that run at the same time.
  const prefix = `w${process.pid}x${controller}n`;
  return {
    folder,
    owner: isRoot ? 'root' : user.name,
    nodes: [1, 2, 3].map((number) => `${prefix}${number}`),
    ports: { controller, database, daemon },
    nodePorts,
    databaseServerPort: server,
    accounting: options.accounting ?? true,
    cgroups: isRoot && hasWritableCgroups(),
    minJobAge: options.minJobAge ?? 120,
    maxJobCount: options.maxJobCount ?? 10_000,
    messageTimeout: options.messageTimeout ?? 10,
  };
}

function hasWritableCgroups(): boolean {
  if (!existsSync('/sys/fs/cgroup/memory/memory.limit_in_bytes')) return false;
  try {
    accessSync('/sys/fs/cgroup/memory', constants.W_OK);
    return true;
  } catch {
    // Not writable is an answer, not a failure.
    return false;
  }
}

async function writeFiles(layout: SlurmLayout): Promise<void> {
  const { folder } = layout;
  const write = (name: string, text: string, mode: number) => writeFile(join(folder, name), text, { mode });
  await chmod(folder, 0o755);
  await Promise.all([
    mkdir(join(folder, 'state')),
    ...layout.nodes.map((node) => mkdir(join(folder, 'spool', node), { recursive: true })),
    write('slurm.conf', slurmConfiguration(layout), 0o644),
    write('slurmdbd.conf', databaseConfiguration(layout), 0o600),
    write('cgroup.conf', cgroupConfiguration, 0o644),
    write('database.sql', databaseStart, 0o600),
    executeOrFail(['dd', 'if=/dev/urandom', `of=${join(folder, 'munge.key')}`, 'bs=1024', 'count=1', 'status=none']),
  ]);
  await chmod(join(folder, 'munge.key'), 0o600);
}

type Environment = Readonly<Record<string, string>>;

async function startDaemons(
  layout: SlurmLayout,
  environment: Environment,
  daemons: Map<SlurmDaemonName, Daemon>,
  user: TestUser,
): Promise<void> {
  const begin = (name: SlurmDaemonName) => start(name, layout, environment, daemons);
  await Promise.all([begin('munged'), ...(layout.accounting ? [begin('database')] : [])]);
  if (layout.accounting) {
    await begin('slurmdbd');
    await executeOrFail(['sacctmgr', '-i', '-Q'], { environment, input: accountingCommands(user.name) });
  }
  await Promise.all([begin('slurmctld'), begin('node1'), begin('node2'), begin('node3')]);
  await waitUntil('idle nodes', async () => {
    for (const daemon of daemons.values()) ended(daemon);
    const { stdout } = await execute(['sinfo', '-h', '-N', '-p', 'long', '-o', '%T'], { environment, timeout: 20_000 });
    return (
      stdout
        .trim()
        .split('\n')
        .filter((state) => state === 'idle').length === layout.nodes.length
    );
  });
}

async function start(
  name: SlurmDaemonName,
  layout: SlurmLayout,
  environment: Environment,
  daemons: Map<SlurmDaemonName, Daemon>,
): Promise<void> {
  const { folder, ports } = layout;
  const launch = async (words: readonly string[]) => {
    const daemon = await startDaemon(words, { environment, log: join(folder, `${name}.output`) });
    daemons.set(name, daemon);
    return daemon;
  };
  if (name === 'database') {
    daemons.set(name, await startDatabaseServer(layout));
  } else if (name === 'munged') {
    const socket = join(folder, 'munge.socket');
    const files = ['key', 'pid', 'log', 'seed'].map((kind) => `--${kind}-file=${join(folder, `munge.${kind}`)}`);
    const daemon = await launch(['/usr/sbin/munged', '--foreground', `--socket=${socket}`, ...files]);
    await waitUntil('munged', () => ended(daemon) || existsSync(socket));
  } else if (name === 'slurmdbd') {
    // Where the machine is busy its first questions to the database may fail, and it ends; service managers start it again.
    for (let starts = 1; ; starts++) {
      const daemon = await launch(['/usr/sbin/slurmdbd', '-D']);
      const isUp = async () => (await listens(ports.database)) || (!daemon.running && starts < 3) || ended(daemon);
      await waitUntil('slurmdbd', isUp);
      if (daemon.running) break;
    }
  } else if (name === 'slurmctld') {
    const daemon = await launch(['/usr/sbin/slurmctld', '-D']);
    await waitUntil('slurmctld', () => ended(daemon) || listens(ports.controller));
  } else {
    const index = Number(name.slice(4)) - 1;
    const daemon = await launch(['/usr/sbin/slurmd', '-D', '-N', layout.nodes[index] ?? '']);
    await waitUntil(name, () => ended(daemon) || listens(layout.nodePorts[index] ?? 0));
  }
}

async function stopAll(
  layout: SlurmLayout,
  environment: Environment,
  daemons: ReadonlyMap<SlurmDaemonName, Daemon>,
): Promise<void> {
  const stopNamed = (wanted: (name: SlurmDaemonName) => boolean) =>
    Promise.all([...daemons].filter(([name]) => wanted(name)).map(([, daemon]) => daemon.stop(3_000)));
  // The database last, for the others still write to it; job steps when nobody can start new ones.
  await stopNamed((name) => name.startsWith('node') || name === 'slurmctld');
  await stopJobSteps(environment.SLURM_CONF ?? '');
  await stopNamed((name) => name === 'slurmdbd');
  await stopNamed(() => true);
  await removeCgroups(layout.nodes);
  await rm(layout.folder, { recursive: true, force: true });
}
