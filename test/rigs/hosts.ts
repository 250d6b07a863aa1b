import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecResult } from '../../src/plugin.js';
import { execute, executeOrFail } from './command.js';
import { type Daemon, startDaemon, waitUntil } from './daemon.js';

const program = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));

export interface HostRunOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** Milliseconds, default 60 000. */
  readonly timeout?: number;
}

/** What a host can be kept from reaching: everything, or only the address at which store and broker are. */
export type Cut = 'everything' | 'servers';

/**
 * A host of its own as far as Wherry can see: name, network address, processes, and a folder that nobody else sees, with
 * the Wherry home in it.
 */
export interface Host {
  readonly name: string;
  readonly address: string;
  /** Runs the built command line to its end. */
  run(words: readonly string[], options?: HostRunOptions): Promise<ExecResult>;
  /** Expects exit code 0. Returns stdout. */
  succeed(words: readonly string[], options?: HostRunOptions): Promise<string>;
  /** Runs any program. */
  execute(words: readonly string[], options?: HostRunOptions): Promise<ExecResult>;
  /** The text of a file of its own, by a path from its folder; '' when there is none. */
  read(path: string): Promise<string>;
  /** From now on packets vanish, without a sign to anybody. */
  cut(from?: Cut): Promise<void>;
  /** Packets arrive again. */
  join(): Promise<void>;
  /** Ends everything in it at once by SIGKILL; connections are closed by its system. */
  kill(): Promise<void>;
  /** The same, but its system says nothing to anybody either. */
  powerOff(): Promise<void>;
}

/** Hosts, a network between them and this machine, and a folder that all of them share. */
export interface Hosts extends AsyncDisposable {
  /** Where servers of this machine listen for the hosts: those of the profile, and the computers. */
  readonly addresses: { readonly servers: string; readonly computers: string };
  /** All hosts and this machine see it under this path. */
  readonly shared: string;
  add(name: string): Promise<Host>;
}

const namespaces = ['--net', '--uts', '--pid', '--mount'];

/** Why hosts cannot be made here; undefined when they can. */
export const hostsImpossible: string | undefined = reason();

function reason(): string | undefined {
  if (process.getuid?.() !== 0) return 'making network namespaces needs root';
  const { status, stderr, error } = spawnSync('unshare', [...namespaces, '--fork', 'ip', 'link', 'show'], {
    timeout: 20_000,
    encoding: 'utf8',
  });
  return status === 0 ? undefined : `namespaces cannot be made here: ${(stderr ?? error?.message ?? '').trim()}`;
}

let networks = 0;

/** Makes an empty network. What a run that was killed has left behind is removed. */
export async function startHosts(): Promise<Hosts> {
  if (!existsSync(program)) throw new Error(`${program} does not exist; run: npm run build`);
  await removeLeftovers();
  networks += 1;
  const network = new Network(`wh${process.pid}n${networks}`, await mkdtemp(join(tmpdir(), 'wherry-hosts-')));
  try {
    await network.open();
    return network;
  } catch (error) {
    await network[Symbol.asyncDispose]();
    throw error;
  }
}

/** A bridge is named after the process that made it. */
async function removeLeftovers(): Promise<void> {
  const links = await executeOrFail(['ip', '-o', 'link', 'show', 'type', 'bridge']);
  for (const [, bridge, pid] of links.matchAll(/^\d+: (wh(\d+)n\d+):/gm)) {
    if (!existsSync(`/proc/${pid}`)) await execute(['ip', 'link', 'delete', bridge ?? '']);
  }
}

/** Runs commands of ip(8). */
async function ip(...commands: string[]): Promise<void> {
  await executeOrFail(['ip', '-batch', '-'], { input: `${commands.join('\n')}\n` });
}

/** Neighbours are told to each other once and for all: one that cannot be asked for would be an error, not a silence. */
const stations = { servers: 1, computers: 2, firstHost: 11, nobody: 99 } as const;

class Network implements Hosts {
  readonly name: string;
  readonly folder: string;
  readonly shared: string;
  readonly #hosts: NamespaceHost[] = [];
  #prefix = '';

  constructor(name: string, folder: string) {
    this.name = name;
    this.folder = folder;
    this.shared = join(folder, 'shared');
  }

  get addresses() {
    return { servers: this.addressOf(stations.servers), computers: this.addressOf(stations.computers) };
  }

  addressOf(station: number): string {
    return `${this.#prefix}.${station}`;
  }

  hardwareOf(station: number): string {
    const [, second = '0', third = '0'] = this.#prefix.split('.');
    return ['02', 'c6', second, third, '00', String(station)]
      .map((part, index) => (index < 2 ? part : Number(part).toString(16).padStart(2, '0')))
      .join(':');
  }

  async open(): Promise<void> {
    await chmod(this.folder, 0o755);
    await mkdir(this.shared);
    // A range that is set apart for tests of network devices.
    const used = await executeOrFail(['ip', '-4', '-o', 'address']);
    do this.#prefix = `198.${randomInt(18, 20)}.${randomInt(256)}`;
    while (used.includes(` ${this.#prefix}.`));
    const { servers, computers } = this.addresses;
    await ip(
      `link add name ${this.name} address ${this.hardwareOf(stations.servers)} type bridge`,
      `address add ${servers}/24 dev ${this.name}`,
      `address add ${computers}/24 dev ${this.name}`,
      `link set ${this.name} up`,
    );
  }

  async add(name: string): Promise<Host> {
    const host = new NamespaceHost(this, name, stations.firstHost + this.#hosts.length);
    this.#hosts.push(host);
    await host.start();
    return host;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const host of this.#hosts) await host.remove();
    await execute(['ip', 'link', 'delete', this.name]);
    await rm(this.folder, { recursive: true, force: true });
  }
}

/**
 * The first process of a host: everything else in it ends with it, as on a real one. Its folder is a file system that no
 * other host sees.
 */
const firstProcess = `
set -e
hostname "$1"
ip link set lo up
mount -t tmpfs -o mode=755 wherry "$2"
mkdir "$2/home" "$2/here" "$2/tmp"
touch "$2/ready"
while :; do sleep 1000 & wait; done
`;

class NamespaceHost implements Host {
  readonly name: string;
  readonly address: string;
  readonly #network: Network;
  readonly #station: number;
  readonly #folder: string;
  #holder: Daemon | undefined;
  /** Of its first process, as this machine counts. */
  #pid = 0;

  constructor(network: Network, name: string, station: number) {
    this.name = name;
    this.address = network.addressOf(station);
    this.#network = network;
    this.#station = station;
    this.#folder = join(network.folder, name);
  }

  async start(): Promise<void> {
    await mkdir(this.#folder);
    // Whatever becomes of us, the host ends: with this thread ends unshare, with it the first process.
    const words = ['setpriv', '--pdeathsig', 'KILL', 'unshare', ...namespaces, '--mount-proc', '--kill-child'];
    const log = join(this.#network.folder, `${this.name}.log`);
    const holder = await startDaemon([...words, 'sh', '-c', firstProcess, 'host', this.name, this.#folder], { log });
    this.#holder = holder;
    await waitUntil(`the host ${this.name}`, async () => {
      if (!holder.running) throw new Error(`the host ${this.name} ended at its start: ${holder.lastWords()}`);
      const children = await readFile(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8');
      this.#pid = Number.parseInt(children, 10);
      return this.#pid > 0 && existsSync(`${this.#root}${this.#folder}/ready`);
    });
    await this.#plugIn();
  }

  get #root(): string {
    return `/proc/${this.#pid}/root`;
  }

  get #cable(): string {
    return `${this.#network.name}v${this.#station}`;
  }

  async #plugIn(): Promise<void> {
    const network = this.#network;
    const hardware = network.hardwareOf(this.#station);
    await ip(
      `link add ${this.#cable} type veth peer name eth0 address ${hardware} netns ${this.#pid}`,
      `link set ${this.#cable} master ${network.name} up`,
      `neighbour replace ${this.address} lladdr ${hardware} dev ${network.name} nud permanent`,
    );
    await this.#ip(`address add ${this.address}/24 dev eth0`, 'link set eth0 up', ...this.#ways());
  }

  /** All addresses of this machine are behind one card; packets to that of nobody vanish. */
  #ways(servers: number = stations.servers): string[] {
    const { addresses } = this.#network;
    const way = (address: string, station: number) =>
      `neighbour replace ${address} lladdr ${this.#network.hardwareOf(station)} dev eth0 nud permanent`;
    return [way(addresses.servers, servers), way(addresses.computers, stations.servers)];
  }

  /** Configures its own side of the network. */
  async #ip(...commands: string[]): Promise<void> {
    const input = `${commands.join('\n')}\n`;
    await executeOrFail(['nsenter', '--target', `${this.#pid}`, '--net', 'ip', '-batch', '-'], { input });
  }

  execute(words: readonly string[], { environment = {}, timeout }: HostRunOptions = {}): Promise<ExecResult> {
    if (this.#pid === 0) throw new Error(`the host ${this.name} has ended`);
    const inside = (name: string) => join(this.#folder, name);
    const enter = ['nsenter', '--target', `${this.#pid}`, ...namespaces, `--wdns=${inside('here')}`];
    return execute([...enter, ...words], {
      ...(timeout === undefined ? {} : { timeout }),
      environment: { HOME: this.#folder, TMPDIR: inside('tmp'), WHERRY_HOME: inside('home'), ...environment },
    });
  }

  run(words: readonly string[], options?: HostRunOptions): Promise<ExecResult> {
    return this.execute([process.execPath, program, ...words], options);
  }

  async succeed(words: readonly string[], options?: HostRunOptions): Promise<string> {
    const { exitCode, signal, stdout, stderr } = await this.run(words, options);
    if (exitCode === 0) return stdout;
    throw new Error(`wherry ${words.join(' ')} on ${this.name} ended with ${exitCode ?? signal}: ${stderr}`);
  }

  async read(path: string): Promise<string> {
    return readFile(join(`${this.#root}${this.#folder}`, path), 'utf8').catch(() => '');
  }

  async cut(from: Cut = 'everything'): Promise<void> {
    if (from === 'servers') await this.#ip(...this.#ways(stations.nobody));
    else await ip(`link set ${this.#cable} nomaster`);
  }

  async join(): Promise<void> {
    await ip(`link set ${this.#cable} master ${this.#network.name} up`);
    await this.#ip(...this.#ways());
  }

  async kill(): Promise<void> {
    const holder = this.#holder;
    if (holder === undefined || this.#pid === 0) return;
    const pid = this.#pid;
    this.#pid = 0;
    process.kill(pid, 'SIGKILL');
    await waitUntil(`the end of the host ${this.name}`, () => !holder.running);
  }

  async powerOff(): Promise<void> {
    await this.cut();
    await this.kill();
  }

  async remove(): Promise<void> {
    await this.kill();
    this.#holder?.signal('SIGKILL');
    // The card inside vanishes with the network of the host, and a little later.
    await execute(['ip', 'link', 'delete', this.#cable]);
  }
}
