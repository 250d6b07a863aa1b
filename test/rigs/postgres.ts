import { appendFile, chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { executeOrFail } from './command.js';
import { type Daemon, freePorts, startDaemon, waitUntil } from './daemon.js';
import { PostgresDatabases, superuser } from './postgres-databases.js';
import { isRoot, type TestUser, testUser } from './test-user.js';

const programs = '/usr/lib/postgresql/15/bin';

export interface PostgresOptions {
  /** Logins need this password (SCRAM); without it everybody is let in. */
  readonly password?: string;
  /** A further address to listen on, beside the loopback. */
  readonly address?: string;
  /** Encrypt connections to those who ask for it, with a certificate of 127.0.0.1: `certificate` in the folder. */
  readonly encrypted?: boolean;
  /** Keep what is committed through a loss of power, as a real server does; for measurements. Default: false. */
  readonly durable?: boolean;
}

/** A PostgreSQL server of the test's own, on the loopback interface unless told otherwise. */
export interface Postgres extends AsyncDisposable {
  readonly port: number;
  readonly folder: string;
  readonly databases: PostgresDatabases;
  start(): Promise<void>;
  /** Ends all connections and stops in an orderly way. */
  stop(): Promise<void>;
  /** Stops at once, as after a crash: the next start recovers. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  /** What the server has written to its log lately. */
  lastWords(): string;
}

/** Starts a PostgreSQL with a fresh, empty cluster of databases in a temporary folder and on a free port. */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const owner = await testUser();
  const folder = await mkdtemp(path.join(tmpdir(), 'wherry-postgres-'));
  if (isRoot) await chown(folder, owner.uid, owner.gid);
  await chmod(folder, 0o755);
  await makeCluster(folder, owner, options);
  const [port = 0] = await freePorts(1);
  const server = new Server(folder, port, owner, options);
  await server.start();
  return server;
}

async function makeCluster(folder: string, owner: TestUser, options: PostgresOptions): Promise<void> {
  const { password, address, durable, encrypted } = options;
  const data = path.join(folder, 'data');
  const words = [`${programs}/initdb`, '-D', data, '-U', superuser, '-N', '--locale=C.UTF-8', '-E', 'UTF8'];
  const secret = path.join(folder, 'password');
  if (password === undefined) words.push('-A', 'trust');
  else {
    await writeFile(secret, `${password}\n`, { mode: 0o600 });
    if (isRoot) await chown(secret, owner.uid, owner.gid);
    words.push('-A', 'scram-sha-256', `--pwfile=${secret}`);
  }
  await executeOrFail(words, { as: isRoot ? owner : undefined, directory: folder });
  await rm(secret, { force: true });
  const settings = [
    `listen_addresses = '${['127.0.0.1', ...(address === undefined ? [] : [address])].join(', ')}'`,
    `unix_socket_directories = '${folder}'`,
    'max_connections = 200',
    'shared_buffers = 32MB',
    // Many small databases that live for a moment need nobody to tidy them up.
    ...(encrypted ? await encryption(folder, owner) : []),
    ...(durable ? [] : ['fsync = off', 'full_page_writes = off', 'autovacuum = off']),
  ];
  const file = path.join(data, 'postgresql.auto.conf');
  await writeFile(file, `${settings.join('\n')}\n`);
  const method = password === undefined ? 'trust' : 'scram-sha-256';
  if (address !== undefined) await appendFile(path.join(data, 'pg_hba.conf'), `host all all samenet ${method}\n`);
}

/** Settings for a certificate that nobody has signed but itself. */
async function encryption(folder: string, owner: TestUser): Promise<string[]> {
  const [certificate, key] = [path.join(folder, 'certificate'), path.join(folder, 'key')];
  const subject = ['-subj', '/CN=wherry test', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const files = ['-nodes', '-keyout', key, '-out', certificate, '-days', '2'];
  await executeOrFail([
    'openssl',
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    ...subject,
    ...files,
  ]);
  if (isRoot) await chown(key, owner.uid, owner.gid);
  await chmod(key, 0o600);
  return ['ssl = on', `ssl_cert_file = '${certificate}'`, `ssl_key_file = '${key}'`];
}

class Server implements Postgres {
  readonly port: number;
  readonly folder: string;
  readonly databases: PostgresDatabases;
  readonly #owner: TestUser;
  #daemon: Daemon | undefined;

  constructor(folder: string, port: number, owner: TestUser, { password }: PostgresOptions) {
    this.folder = folder;
    this.port = port;
    this.#owner = owner;
    this.databases = new PostgresDatabases(port, password);
  }

  async start(): Promise<void> {
    const program = [`${programs}/postgres`, '-D', path.join(this.folder, 'data'), '-p', `${this.port}`];
    // It refuses to run as root; setpriv becomes the server, so that our child is the server itself.
    const as = isRoot ? ['setpriv', `--reuid=${this.#owner.uid}`, `--regid=${this.#owner.gid}`, '--clear-groups'] : [];
    const daemon = await startDaemon([...as, ...program], { log: path.join(this.folder, 'log') });
    this.#daemon = daemon;
    await waitUntil('PostgreSQL', async () => {
      if (!daemon.running) throw new Error(`PostgreSQL ended at its start:\n${daemon.lastWords()}`);
      return this.databases.query('select 1').then(
        () => true,
        () => false,
      );
    });
  }

  stop(): Promise<void> {
    return this.#end('SIGINT');
  }

  kill(): Promise<void> {
    return this.#end('SIGQUIT');
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  lastWords(): string {
    return this.#daemon?.lastWords() ?? '';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const daemon = this.#daemon;
    if (daemon === undefined) return;
    daemon.signal(signal);
    await waitUntil('the end of PostgreSQL', () => !daemon.running);
  }
}
