import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'vitest';
import { livingLeases } from '../../../src/store/leases.js';
import { openStore, type Store } from '../../../src/store/store.js';
import type { LeaseRow } from '../../../src/store/tables.js';
import { type Host, type Hosts, startHosts } from '../../rigs/hosts.js';
import { type Postgres, startPostgres } from '../../rigs/postgres.js';
import { superuser } from '../../rigs/postgres-databases.js';
import { type Rabbitmq, startRabbitmq } from '../../rigs/rabbitmq.js';
import { type Sshd, type SshdOptions, startSshd } from '../../rigs/sshd.js';
import { until } from '../../rigs/until.js';
import { documented } from './documented.js';

const password = 'only-for-tests';

/** Generous: the machine may be busy with other tests. */
export const patience = { timeout: 120_000, interval: 100 } as const;

/** A computer over ssh, on this machine, with a folder of its own. */
export interface Computer {
  readonly label: string;
  readonly sshd: Sshd;
  /** What jobs have written into the file `runs` of their home: a line for each run. */
  runs(): Promise<string[]>;
  /** Addresses from which somebody has logged in, in their order. */
  logins(): string[];
}

export interface ComputerOptions {
  readonly scheduler?: string;
  readonly sshd?: SshdOptions;
  readonly limits?: Readonly<Record<string, unknown>>;
}

/** Several hosts with one PostgreSQL, one RabbitMQ and one repository. */
export interface World extends AsyncDisposable {
  readonly hosts: Hosts;
  readonly postgres: Postgres;
  readonly rabbitmq: Rabbitmq;
  /** The store, as this machine sees it: neither host has to be reached for it. */
  readonly store: Store;
  /** The words after `wherry` that make the profile on a host. */
  readonly init: readonly string[];
  /** A host with a profile, without a daemon. */
  addHost(name: string): Promise<Host>;
  /** Adds a computer by the command line of a host. */
  addComputer(host: Host, label: string, options?: ComputerOptions): Promise<Computer>;
  /** Who holds which computer, by label; nobody for those without work. */
  drivers(): Promise<Map<string, LeaseRow>>;
  /** Waits until no process is left that has not ended. */
  allEnded(timeout?: number): Promise<void>;
}

export async function startWorld(): Promise<World> {
  const parts: AsyncDisposable[] = [];
  const dispose = async () => {
    for (const part of parts.splice(0).reverse()) await part[Symbol.asyncDispose]();
  };
  const keep = <T extends AsyncDisposable>(part: T): T => {
    parts.push(part);
    return part;
  };
  try {
    const hosts = keep(await startHosts());
    const address = hosts.addresses.servers;
    const [postgres, rabbitmq] = await Promise.all([
      startPostgres({ address, password }).then(keep),
      startRabbitmq({ address }).then(keep),
    ]);
    const database = await postgres.databases.create({ name: 'wherry_hosts' });
    const store = await openStore(postgres.databases.place(database));
    keep({ [Symbol.asyncDispose]: () => store.destroy() });
    const repository = path.join(hosts.shared, 'repository');
    const server = `${superuser}:${password}@${address}:${postgres.port}`;
    const init = documented('init', {
      'postgres://wherry:PASSWORD@db.example.org/wherry': `postgres://${server}/${database}?sslmode=disable`,
      'amqp://wherry:PASSWORD@mq.example.org': `amqp://guest:guest@${address}:${rabbitmq.port}`,
      '/shared/wherry': repository,
    });
    return {
      hosts,
      postgres,
      rabbitmq,
      store,
      init,
      async addHost(name) {
        const host = await hosts.add(name);
        await host.succeed(init);
        return host;
      },
      async addComputer(host, label, options = {}) {
        const sshd = keep(await startSshd({ address: hosts.addresses.computers, ...options.sshd }));
        await addOverSsh(host, hosts, label, sshd, options);
        return computerOf(label, sshd);
      },
      drivers: () => driversOf(store),
      async allEnded(timeout = patience.timeout) {
        const left = () => store.selectFrom('processes').selectAll().where('ended_at', 'is', null).execute();
        try {
          await until(async () => (await left()).length === 0, { what: 'the end of all', ...patience, timeout });
        } catch (error) {
          const rows = (await left()).map(({ id, stage, waiting_for, last_error, paused_reason, computer_id }) =>
            JSON.stringify({ id, computer_id, stage, waiting_for, last_error, paused_reason }),
          );
          throw new Error(`${rows.length} have not ended:\n${rows.slice(0, 20).join('\n')}`, { cause: error });
        }
      },
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Adds a computer as a user does; what the login needs stands in the folder that all hosts share. */
async function addOverSsh(
  host: Host,
  { shared }: Hosts,
  label: string,
  sshd: Sshd,
  { scheduler = 'direct', limits }: ComputerOptions,
): Promise<void> {
  const file = path.join(shared, `${label}.yaml`);
  const settings = {
    label,
    transport: 'ssh',
    connection: sshd.connection,
    scheduler,
    workDirectory: `${sshd.home}/wherry`,
    limits: { minPollInterval: 1, safeOpenInterval: 0, ...limits },
  };
  await writeFile(file, JSON.stringify(settings));
  expect(await host.succeed(documented('computer add', { 'daint.yaml': file }))).toBe(`${label}\n`);
}

function computerOf(label: string, sshd: Sshd): Computer {
  return {
    label,
    sshd,
    async runs() {
      const text = await readFile(path.join(sshd.home, 'runs'), 'utf8').catch(() => '');
      return text.split('\n').filter((line) => line !== '');
    },
    logins: () => [...sshd.log().matchAll(/^Accepted publickey for \S+ from (\S+) /gm)].map(([, from]) => from ?? ''),
  };
}

async function driversOf(store: Store): Promise<Map<string, LeaseRow>> {
  const [leases, computers] = await Promise.all([
    livingLeases(store, 'computer:', Date.now()),
    store.selectFrom('computers').select(['id', 'label']).execute(),
  ]);
  const labels = new Map(computers.map(({ id, label }) => [`computer:${id}`, label]));
  return new Map(leases.map((lease) => [labels.get(lease.name) ?? lease.name, lease]));
}

export interface CountedJob {
  readonly computer: Computer;
  readonly label: string;
  readonly seconds?: number;
}

/** Submits jobs on a host, all at once. Each writes its label on its computer, lasts for a while and prints it. */
export async function submitCounted(host: Host, { shared }: Hosts, jobs: readonly CountedJob[]): Promise<number[]> {
  const folder = path.join(shared, 'jobs');
  await mkdir(folder, { recursive: true });
  const files = jobs.map(({ label }) => path.join(folder, `${label}.json`));
  for (const [index, { computer, label, seconds = 0.2 }] of jobs.entries()) {
    const script = 'echo "$0" >> "$1"; sleep "$2"; echo "$0"';
    const command = ['sh', '-c', script, label, path.join(computer.sshd.home, 'runs'), String(seconds)];
    await writeFile(files[index] ?? '', JSON.stringify({ computer: computer.label, label, command }));
  }
  const text = await host.succeed(['submit', '--json', ...files], { timeout: patience.timeout });
  return (JSON.parse(text) as { id: number }[]).map(({ id }) => id);
}

/** Compares what ran with what was to run: nothing is missing and nothing ran twice. */
export async function expectEachRanOnce(jobs: readonly CountedJob[]): Promise<void> {
  for (const computer of new Set(jobs.map((job) => job.computer))) {
    const wanted = jobs.filter((job) => job.computer === computer).map(({ label }) => label);
    expect((await computer.runs()).sort()).toEqual(wanted.sort());
  }
}
