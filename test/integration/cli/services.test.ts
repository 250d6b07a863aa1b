import { existsSync, readFileSync } from 'node:fs';
import { chmod, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { describeError, exitCodeOf } from '../../../src/cli/errors.js';
import { readProfileSettings } from '../../../src/config/profile-file.js';
import { openCommunicator } from '../../../src/engine/control/open-communicator.js';
import { initProfile, type ServicesWanted } from '../../../src/engine/init-profile.js';
import { openProfile } from '../../../src/engine/profile.js';
import type { ProcessDetails } from '../../../src/engine/views.js';
import { openStore } from '../../../src/store/store.js';
import { type CommandLine, startCommandLine } from '../../rigs/command-line.js';
import { type Postgres, startPostgres } from '../../rigs/postgres.js';
import { type Rabbitmq, startRabbitmq } from '../../rigs/rabbitmq.js';
import { until } from '../../rigs/until.js';
import { startFakeBroker } from '../broker/fake-broker.js';

const password = 'ge@heim/1';
let postgres: Postgres;
let rabbitmq: Rabbitmq;
beforeAll(async () => {
  [postgres, rabbitmq] = await Promise.all([startPostgres({ password }), startRabbitmq()]);
});
afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
  await rabbitmq[Symbol.asyncDispose]();
});

let wherry: CommandLine;
beforeEach(async () => {
  wherry = await startCommandLine();
});
afterEach(async () => {
  await wherry.run(['daemon', 'stop', '--timeout', '5s']);
  await wherry[Symbol.asyncDispose]();
});

const directory = () => path.join(wherry.home, 'profiles', 'default');
const storeUrl = (database: string, secret = password) =>
  postgres.databases.url(database).replace('@', `:${encodeURIComponent(secret)}@`);
const brokerUrl = (vhost: string, secret = 'guest') => `amqp://guest:${secret}@127.0.0.1:${rabbitmq.port}/${vhost}`;

describe('init with what cannot be used', () => {
  async function refused(words: readonly string[], sentence: RegExp): Promise<void> {
    // What the command does, without the start of a program each time.
    const error = await initProfile({ home: wherry.home }, wantedOf(words)).catch((refusal: unknown) => refusal);
    const lines = describeError(error);
    expect(lines.join('\n')).toMatch(sentence);
    expect(lines.join('\n')).not.toMatch(/geheim|\n {4}at /);
    expect(lines.length).toBeLessThanOrEqual(2);
    expect(exitCodeOf(error)).toBe(1);
    expect(existsSync(wherry.home)).toBe(false);
  }

  function wantedOf(words: readonly string[]): ServicesWanted {
    const value = (name: string) => (words.includes(name) ? words[words.indexOf(name) + 1] : undefined);
    return { store: value('--store'), broker: value('--broker') };
  }

  it('says so in two lines, without a stack, and ends with 1', async () => {
    const { exitCode, stdout, stderr } = await wherry.run(['init', '--store', 'postgres//here']);
    expect(stderr).toBe(
      'wherry: the URL of the store cannot be read: postgres//here\n  → it looks like postgres://user@host:5432/database\n',
    );
    expect([exitCode, stdout.toString()]).toEqual([1, '']);
    expect(existsSync(wherry.home)).toBe(false);
  });

  it.each([
    ['postgres//here', /the URL of the store cannot be read/],
    ['mysql://me:geheim@127.0.0.1/w', /must begin with postgres:\/\//],
    ['postgres://me:geheim@127.0.0.1', /names no database/],
  ])('refuses the store %s', (url, sentence) => refused(['--store', url], sentence));

  it.each([
    ['http://me:geheim@127.0.0.1', /the URL of the broker must begin with amqp/],
    ['amqp://me:geheim@127.0.0.1/a/b', /the virtual host must be one part/],
    ['amqp://me:geheim@127.0.0.1:1/', /no broker can be reached/],
  ])('refuses the broker %s', (url, sentence) => refused(['--broker', url], sentence));

  it('refuses a login, and makes nothing in the other service either', async () => {
    const database = await postgres.databases.create();
    await refused(['--store', storeUrl(database, 'geheim')], /refused the login/);
    await refused(['--store', storeUrl('nowhere')], /there is no database "nowhere"/);
    await refused(['--store', storeUrl(database), '--broker', brokerUrl('%2F', 'geheim')], /refused the login/);
    await refused(['--store', storeUrl(database), '--broker', brokerUrl('nowhere')], /no such virtual host/);
    const store = await openStore({ ...postgres.databases.place(database), password });
    // The first step is the one that this very opening has made.
    const { rows } = await sql<{ at: string }>`select min(timestamp) as at from kysely_migration`.execute(store);
    expect(Date.now() - Date.parse(rows[0]?.at ?? '')).toBeLessThan(5_000);
    await store.destroy();
  });

  it('refuses a broker that is too old', async () => {
    const old = await startFakeBroker({ product: 'RabbitMQ', version: '3.8.9' });
    await refused(['--broker', `amqp://guest:geheim@127.0.0.1:${old.port}`], /RabbitMQ 3\.8\.9, which is too old/);
    await old[Symbol.asyncDispose]();
  });

  it('refuses a database of a newer Wherry', async () => {
    const database = await postgres.databases.create();
    const store = await openStore({ ...postgres.databases.place(database), password });
    await sql`insert into kysely_migration (name, timestamp) values ('9999_future', '2030')`.execute(store);
    await store.destroy();
    await refused(['--store', storeUrl(database)], /newer Wherry/);
  });
});

describe('a profile on PostgreSQL and RabbitMQ', () => {
  it('is made, keeps its passwords to itself, runs jobs, and tells of itself', async () => {
    const database = await postgres.databases.create();
    await rabbitmq.addVirtualHost(database);
    const repository = path.join(wherry.folder, 'shared');
    const words = ['init', '--store', storeUrl(database), '--broker', brokerUrl(database), '--repository', repository];
    const made = await wherry.run(words);
    expect(made).toMatchObject({ exitCode: 0 });
    expect(made.text + made.stderr).not.toContain('heim');
    expect(await wherry.succeed([...words, '--json'])).toContain(`"repository": "${repository}"`);
    expect((await stat(path.join(directory(), 'secrets.yaml'))).mode & 0o777).toBe(0o600);
    expect(await readFile(path.join(directory(), 'profile.yaml'), 'utf8')).not.toContain('heim');

    await wherry.succeed(['daemon', 'start', '--workers', '2']);
    expect(await wherry.succeed(['submit', '--computer', 'localhost', '--', 'sh', '-c', 'echo here; exit 4'])).toBe(
      '1\n',
    );
    expect((await wherry.run(['wait', '1', '--timeout', '60s'])).exitCode).toBe(1);
    const watched = await wherry.succeed(['watch', '1', '--json']);
    const types = watched
      .split('\n')
      .flatMap((line) => (line === '' ? [] : [(JSON.parse(line) as { type: string }).type]));
    expect(types).toEqual(expect.arrayContaining(['process.created', 'job.submitted', 'job.ended']));
    expect(types.at(-1)).toBe('process.state');
    const status = JSON.parse(await wherry.succeed(['status', '--json'])) as Record<string, unknown>;
    expect(status).toMatchObject({
      store: postgres.databases.url(database),
      broker: { kind: 'amqp', trouble: null, tasks: { takers: 2, waiting: 0, parked: 0 } },
      workers: [{}, {}],
    });
    expect(JSON.stringify(status) + (await wherry.succeed(['daemon', 'logs']))).not.toContain('heim');
  });

  it('works without its broker, and status says so', async () => {
    const broker = await startRabbitmq();
    const words = ['init', '--broker', `amqp://127.0.0.1:${broker.port}`];
    await wherry.succeed(words);
    await broker.stop();
    await wherry.succeed(['run', '--computer', 'localhost', '--', 'true']);
    await wherry.succeed(['daemon', 'start']);
    await wherry.succeed(['submit', '--computer', 'localhost', '--', 'sleep', '60']);
    await until(async () => (await wherry.list()).some(({ stage }) => stage === 'update'), {
      what: 'the job',
      timeout: 60_000,
    });
    const status = await wherry.run(['status']);
    expect(status.exitCode).toBe(0);
    expect(status.text).toMatch(/^broker .*cannot be used, work goes on without it: no broker can be reached/m);
    expect(await wherry.succeed(['kill', '2', '--timeout', '60s'])).toContain('is killed');
    await broker[Symbol.asyncDispose]();
  });

  it('is not mistaken for another one', async () => {
    const [one, two] = [await postgres.databases.create(), await postgres.databases.create()];
    const repository = path.join(wherry.folder, 'shared');
    await wherry.succeed(['init', '--store', storeUrl(one), '--repository', repository]);
    const other = await wherry.run(['--profile', 'two', 'init', '--store', storeUrl(two), '--repository', repository]);
    expect(other).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('is the repository of another profile'),
    });
    const again = await wherry.run(['init', '--store', storeUrl(two)]);
    expect(again).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('has other settings already') });
  });

  it('refuses passwords that others can read', async () => {
    await wherry.succeed(['init', '--store', storeUrl(await postgres.databases.create())]);
    await chmod(path.join(directory(), 'secrets.yaml'), 0o644);
    const { exitCode, stderr } = await wherry.run(['ps']);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('chmod 600');
    const environment = { WHERRY_STORE_PASSWORD: password };
    await chmod(path.join(directory(), 'secrets.yaml'), 0o600);
    await wherry.write('../home/profiles/default/secrets.yaml', 'store: wrong\n');
    expect((await wherry.run(['ps'])).exitCode).toBe(1);
    await wherry.succeed(['ps'], { environment });
  });
});

describe('parked tasks', () => {
  it('can be looked at, sent again and thrown away', async () => {
    await wherry.succeed(['init']);
    expect((await wherry.run(['broker', 'parked'])).stderr).toBe('no task is parked\n');
    await using profile = await openProfile({ home: wherry.home });
    {
      await using communicator = await openCommunicator(profile);
      for (const text of ['\u001b[31mred', 'two']) await communicator.sendTask('processes', { task: text });
    }
    await wherry.succeed(['daemon', 'start']);
    const parked = async () =>
      JSON.parse(await wherry.succeed(['broker', 'parked', '--json'])) as { id: string; attempts: number }[];
    const [first] = await until(
      async () => {
        const tasks = await parked();
        return tasks.length === 2 && tasks;
      },
      { what: 'both tasks', timeout: 30_000 },
    );
    const table = await wherry.succeed(['broker', 'parked']);
    expect(table).toContain('that is no task for processes');
    expect(table).not.toContain('\u001b');
    if (first === undefined) throw new Error('there is no task');
    expect(await wherry.succeed(['broker', 'drop', first.id])).toBe('1 task thrown away\n');
    expect((await wherry.run(['broker', 'drop', first.id])).exitCode).toBe(1);
    expect((await wherry.run(['broker', 'resend'])).exitCode).toBe(2);
    expect(await wherry.succeed(['broker', 'resend', '--all'])).toBe('1 task sent again\n');
    await until(async () => (await parked()).length === 1, { what: 'its return', timeout: 30_000 });
  });
});

describe('store migrate', () => {
  it('moves a profile with everything that it has', async () => {
    await wherry.write('in.txt', 'input\n');
    const words = ['run', '--computer', 'localhost', '--file', 'in.txt', '--', 'cat', 'in.txt'];
    await wherry.succeed(words);
    await wherry.succeed(['submit', '--computer', 'localhost', '--label', 'later', '--', 'echo', 'later']);
    const before = JSON.parse(await wherry.succeed(['show', '1', '2', '--json'])) as ProcessDetails[];
    const database = await postgres.databases.create();
    await wherry.succeed(['store', 'migrate', '--to', storeUrl(database)]);
    expect(existsSync(path.join(directory(), 'store.sqlite'))).toBe(false);
    expect(JSON.parse(await wherry.succeed(['show', '1', '2', '--json']))).toEqual(before);
    expect(await wherry.succeed(['files', 'cat', '1', 'stdout.txt'])).toBe('input\n');
    await wherry.tickUntilEnded(2);
    expect(await wherry.succeed(['submit', '--computer', 'localhost', '--', 'true'])).toBe('3\n');
    const again = await wherry.run(['store', 'migrate', '--to', storeUrl(database)]);
    expect(again).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('is on PostgreSQL already') });
  });

  it('leaves everything as it is while a daemon works, and when the database is not empty', async () => {
    await wherry.succeed(['daemon', 'start']);
    const database = await postgres.databases.create();
    const busy = await wherry.run(['store', 'migrate', '--to', storeUrl(database)]);
    expect(busy).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('wherry daemon stop') });
    await wherry.succeed(['daemon', 'stop']);
    await wherry.succeed(['--profile', 'other', 'init', '--store', storeUrl(database)]);
    const full = await wherry.run(['store', 'migrate', '--to', storeUrl(database)]);
    expect(full).toMatchObject({ stderr: expect.stringContaining('is not empty') });
    expect(full.exitCode).not.toBe(0);
    expect(existsSync(path.join(directory(), 'profile.yaml'))).toBe(false);
    expect(await wherry.list()).toEqual([]);
  });
});

describe('docs/store.md', () => {
  const page = readFileSync(new URL('../../../docs/store.md', import.meta.url), 'utf8');
  const blocks = (kind: string) =>
    [...page.matchAll(new RegExp(`^\`\`\`${kind}\\n(.*?)^\`\`\``, 'gms'))].map(([, text = '']) => text);

  it('has commands that work', async () => {
    const [init = '', migrate = ''] = blocks('sh');
    const example = 'postgres://me@db.example.org:5432/wherry';
    const run = async (text: string, profile: string, database: string) => {
      for (const line of text.trim().split('\n')) {
        const words = line.replace(example, storeUrl(database)).split(' ').slice(1);
        await wherry.succeed([...words, '--profile', profile]);
      }
    };
    await run(init, 'new', await postgres.databases.create());
    await wherry.succeed(['--profile', 'old', 'submit', '--computer', 'localhost', '--', 'true']);
    await run(migrate, 'old', await postgres.databases.create());
    await wherry.succeed(['--profile', 'old', 'wait', '1', '--timeout', '60s']);
    await wherry.succeed(['--profile', 'old', 'daemon', 'stop']);
  });

  it('shows settings that can be read', async () => {
    const [text = ''] = blocks('yaml');
    const settingsFile = await wherry.write('profile.yaml', text);
    expect(await readProfileSettings({ settingsFile })).toMatchObject({ repository: '/shared/wherry' });
  });
});
