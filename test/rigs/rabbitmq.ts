import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execute, executeOrFail } from './command.js';
import { type Daemon, freePorts, listens, startDaemon, waitUntil } from './daemon.js';
import { isRoot } from './test-user.js';

const programs = '/usr/lib/rabbitmq/bin';
/** Nobody's server runs as root: Debian's own user for it. */
const account = 'rabbitmq';

export interface RabbitmqOptions {
  /** A further address to listen on, beside the loopback. */
  readonly address?: string;
  /** Further lines for rabbitmq.conf. */
  readonly lines?: readonly string[];
  /** Further files of its folder, such as certificates that `lines` name; `$folder` in the lines stands for it. */
  readonly files?: Readonly<Record<string, string>>;
}

/** A RabbitMQ of the test's own on the loopback interface, with ports, a name, a folder and an epmd of its own. */
export interface Rabbitmq extends AsyncDisposable {
  readonly port: number;
  /** For the user guest and the virtual host `/`. */
  readonly url: string;
  readonly running: boolean;
  start(): Promise<void>;
  /** In an orderly way: connections are closed, durable messages kept. */
  stop(): Promise<void>;
  /** By SIGKILL. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  /** Stops the whole server (SIGSTOP): connections stay and nothing is answered. */
  freeze(): void;
  thaw(): void;
  /** Runs rabbitmqctl (about a second each) and gives what it prints. Fails when it does. */
  control(...words: string[]): Promise<string>;
  /** A new virtual host that guest may use, by its name: a broker as good as new. */
  addVirtualHost(name: string): Promise<void>;
  /** Blocks everybody who publishes, or lets them go on. */
  block(blocked: boolean): Promise<void>;
  /** Closes all connections from the server's side, as an operator does. */
  closeConnections(reason: string): Promise<void>;
  lastWords(): string;
}

/** Starts a RabbitMQ and returns when it takes connections. */
export async function startRabbitmq(options: RabbitmqOptions = {}): Promise<Rabbitmq> {
  const folder = await mkdtemp(join(tmpdir(), 'wherry-rabbitmq-'));
  const [port, distribution, mapper] = await freePorts(3);
  if (!port || !distribution || !mapper) throw new Error('there are not enough free ports');
  const { address } = options;
  const listeners = ['127.0.0.1', ...(address === undefined ? [] : [address])];
  const own = [
    ...listeners.map((listener, index) => `listeners.tcp.${index + 1} = ${listener}:${port}`),
    // Else guest could log in from the loopback only.
    ...(address === undefined ? [] : ['loopback_users = none']),
  ];
  const lines = [...own, ...(options.lines ?? [])].map((line) => line.replaceAll('$folder', folder));
  await writeFile(join(folder, 'rabbitmq.conf'), `${lines.join('\n')}\n`);
  await writeFile(join(folder, 'advanced.config'), '[].\n');
  await writeFile(join(folder, 'enabled_plugins'), '[].\n');
  for (const [name, content] of Object.entries(options.files ?? {})) await writeFile(join(folder, name), content);
  if (isRoot) await executeOrFail(['chown', '-R', `${account}:${account}`, folder]);
  await chmod(folder, 0o755);
  const server = new Server(folder, port, {
    HOME: folder,
    ERL_EPMD_PORT: `${mapper}`,
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: `wherry-${mapper}@localhost`,
    RABBITMQ_DIST_PORT: `${distribution}`,
    RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_PID_FILE: join(folder, 'pid'),
    RABBITMQ_CONF_ENV_FILE: join(folder, 'none'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, 'advanced.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    // The start script then becomes the server instead of waiting for it: our child is the server itself.
    RUNNING_UNDER_SYSTEMD: 'true',
  });
  try {
    await server.startMapper();
    await server.start();
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return server;
}

class Server implements Rabbitmq {
  readonly port: number;
  readonly #folder: string;
  readonly #environment: Readonly<Record<string, string>>;
  #mapper: Daemon | undefined;
  #server: Daemon | undefined;

  constructor(folder: string, port: number, environment: Readonly<Record<string, string>>) {
    this.#folder = folder;
    this.port = port;
    this.#environment = environment;
  }

  get url(): string {
    return `amqp://guest:guest@127.0.0.1:${this.port}`;
  }

  get running(): boolean {
    return this.#server?.running ?? false;
  }

  /** Erlang starts one in the background when there is none, which would outlive us. */
  async startMapper(): Promise<void> {
    this.#mapper = await this.#spawn(['epmd'], 'epmd.log');
    await waitUntil('epmd', () => listens(Number(this.#environment.ERL_EPMD_PORT)));
  }

  async start(): Promise<void> {
    const server = await this.#spawn([`${programs}/rabbitmq-server`], 'server.log');
    this.#server = server;
    const answers = async () => {
      if (!server.running) throw new Error(`RabbitMQ ended at its start:\n${server.lastWords()}`);
      return listens(this.port);
    };
    await waitUntil('RabbitMQ', answers, 90_000);
    await this.control('await_startup');
  }

  async stop(): Promise<void> {
    await this.#server?.stop(30_000);
  }

  async kill(): Promise<void> {
    if (!this.running) return;
    this.#server?.signal('SIGKILL');
    await this.#server?.stop();
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  freeze(): void {
    this.#server?.signal('SIGSTOP');
  }

  thaw(): void {
    this.#server?.signal('SIGCONT');
  }

  async control(...words: string[]): Promise<string> {
    const command = [...identity, `${programs}/rabbitmqctl`, '--quiet', ...words];
    const options = { environment: this.#environment, directory: this.#folder, timeout: 90_000 };
    const { stdout, stderr, exitCode } = await execute(command, options);
    if (exitCode !== 0) throw new Error(`rabbitmqctl ${words.join(' ')}: exit ${exitCode}\n${stdout}${stderr}`);
    return stdout;
  }

  async addVirtualHost(name: string): Promise<void> {
    await this.control('add_vhost', name);
    await this.control('set_permissions', '-p', name, 'guest', '.*', '.*', '.*');
  }

  async block(blocked: boolean): Promise<void> {
    await this.control('set_vm_memory_high_watermark', blocked ? '0.000001' : '0.6');
  }

  async closeConnections(reason: string): Promise<void> {
    await this.control('close_all_connections', reason);
  }

  lastWords(): string {
    return this.#server?.lastWords() ?? '';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.#mapper?.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #spawn(words: readonly string[], log: string): Promise<Daemon> {
    return startDaemon([...identity, ...words], { environment: this.#environment, log: join(this.#folder, log) });
  }
}

/** setpriv becomes the program that it starts, so that signals reach it. */
const identity = isRoot ? ['setpriv', `--reuid=${account}`, `--regid=${account}`, '--clear-groups'] : [];
