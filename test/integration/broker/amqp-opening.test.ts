import { createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAmqp, probeBroker } from '../../../src/broker/amqp/index.js';
import { WherryError } from '../../../src/errors.js';
import { executeOrFail } from '../../rigs/command.js';
import { freePorts } from '../../rigs/daemon.js';
import { type Rabbitmq, startRabbitmq } from '../../rigs/rabbitmq.js';
import { startFakeBroker } from './fake-broker.js';

const prefix = 'wherry.opening';
const secret = 'hunter2-is-the-password';

describe('opening', () => {
  let broker: Rabbitmq;
  let securePort: number;
  let certificates: Record<string, string>;
  beforeAll(async () => {
    certificates = await makeCertificates();
    [securePort = 0] = await freePorts(1);
    broker = await startRabbitmq({
      files: certificates,
      lines: [
        `listeners.ssl.1 = 127.0.0.1:${securePort}`,
        'ssl_options.cacertfile = $folder/authority.pem',
        'ssl_options.certfile = $folder/certificate.pem',
        'ssl_options.keyfile = $folder/key.pem',
      ],
    });
    await broker.control('add_user', 'somebody', secret);
  });
  afterAll(() => broker[Symbol.asyncDispose]());

  const at = (port: number, rest = '') => `amqp://somebody:${secret}@127.0.0.1:${port}${rest}`;

  /** Both ways to open fail with this, in one line that does not tell the password. */
  async function expectTrouble(url: string, message: RegExp, transient: boolean, password?: string): Promise<void> {
    const options = { url, prefix, patience: 3_000, ...(password === undefined ? {} : { password }) };
    for (const open of [() => openAmqp(options), () => probeBroker(options)]) {
      const error = await open().then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(WherryError);
      expect(error).toMatchObject({ code: 'broker-unavailable', transient, message: expect.stringMatching(message) });
      const { message: text, hint } = error as WherryError;
      expect(hint).toMatch(/./);
      for (const line of [text, hint ?? '']) {
        expect(line).not.toContain(secret);
        expect(line).not.toContain('\n');
      }
    }
  }

  it('works, and says who we are', async () => {
    await using communicator = await openAmqp({ url: broker.url, prefix });
    expect(communicator.connected).toBe(true);
    expect(await broker.control('list_connections', 'client_properties')).toContain('"product","wherry"');
  });

  it('takes the password from elsewhere', async () => {
    await broker.control('set_permissions', '-p', '/', 'somebody', '.*', '.*', '.*');
    const url = `amqp://somebody@127.0.0.1:${broker.port}`;
    await (await openAmqp({ url, prefix, password: secret }))[Symbol.asyncDispose]();
    await broker.control('clear_permissions', '-p', '/', 'somebody');
  });

  it('of a broker that is not there fails at once', async () => {
    const [port = 0] = await freePorts(1);
    const began = performance.now();
    await expectTrouble(at(port), /^no broker can be reached at amqp:\/\/somebody@127.0.0.1:\d+\/$/, true);
    await expectTrouble(`amqp://a:${secret}@does-not-exist.invalid`, /^no broker can be reached/, true);
    expect(performance.now() - began).toBeLessThan(20_000);
  });

  it('with a wrong password is refused', async () => {
    const wrong = at(broker.port).replace(secret, `${secret}x`);
    await expectTrouble(wrong, /^the broker refused the login at amqp:\/\/somebody@/, false);
    await expectTrouble(at(broker.port), /^the broker refused the login/, false, 'another');
  });

  it('of a virtual host that is not there, or that one may not use, is refused', async () => {
    await expectTrouble(at(broker.port, '/nowhere'), /^the broker has no such virtual host, or .*\/nowhere$/, false);
    await expectTrouble(at(broker.port), /^the broker has no such virtual host, or the user may not use it/, false);
  });

  it('without the rights to make anything is refused and makes nothing', async () => {
    await broker.control('set_permissions', '-p', '/', 'somebody', '', '', '');
    const opening = openAmqp({ url: at(broker.port), prefix: 'wherry.rights' });
    await expect(opening).rejects.toMatchObject({ code: 'broker-unavailable', transient: false });
    await broker.control('clear_permissions', '-p', '/', 'somebody');
    expect(await broker.control('list_exchanges', 'name')).not.toContain('wherry.rights');
    expect(await broker.control('list_connections', 'user')).not.toContain('somebody');
  });

  it('of what is no broker fails', async () => {
    const talk: ((socket: Socket) => void)[] = [
      (socket) => socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'),
      (socket) => socket.end('SSH-2.0-OpenSSH_9.2p1\r\n'),
      (socket) => socket.destroy(),
      (socket) => socket.end('AMQP\u0003\u0001\u0000\u0000'),
      (socket) => socket.write(Buffer.alloc(100, 0xff)),
    ];
    for (const answer of talk) {
      await using server = await listen(answer);
      await expectTrouble(at(server.port), /^what answers at .* does not speak AMQP 0-9-1$/, true);
    }
  });

  it('of what does not answer at all is given up in time', async () => {
    await using server = await listen(() => undefined);
    const began = performance.now();
    await expectTrouble(at(server.port), /^no broker can be reached/, true);
    expect(performance.now() - began).toBeLessThan(15_000);
  });

  it('of a broker that is too old or another one fails before anything is made', async () => {
    {
      await using old = await startFakeBroker({ product: 'RabbitMQ', version: '3.9.13' });
      await expectTrouble(at(old.port), /is RabbitMQ 3\.9\.13, which is too old$/, false);
      expect(old.wanted).toEqual([]);
    }
    await using other = await startFakeBroker({ product: 'Other', version: '9.0' });
    await expectTrouble(at(other.port), /is no RabbitMQ$/, false);
    expect(other.wanted).toEqual([]);
  });

  it('with names that cannot be is refused', async () => {
    for (const bad of ['', 'a b', 'a/b', 'x'.repeat(100)]) {
      await expect(openAmqp({ url: broker.url, prefix: bad })).rejects.toMatchObject({ code: 'bad-input' });
    }
    await expect(openAmqp({ url: 'broker', prefix })).rejects.toMatchObject({ code: 'bad-input' });
  });

  it('with TLS checks whom it speaks to', async () => {
    const secure = `amqps://guest:guest@localhost:${securePort}`;
    const authority = await executeOrFail(['mktemp']);
    await executeOrFail(['tee', authority.trim()], { input: certificates['authority.pem'] ?? '' });
    const good = `${secure}?cacertfile=${authority.trim()}&verify=verify_peer`;
    await using communicator = await openAmqp({ url: good, prefix });
    expect(communicator.connected).toBe(true);
    await expectTrouble(secure, /^no secure connection with the broker at amqps:/, false);
    const other = `${good}&server_name_indication=other.example`;
    await expectTrouble(other, /^no secure connection with the broker/, false);
    await expectTrouble(`amqps://guest:guest@localhost:${broker.port}`, /^no secure connection with the broker/, false);
    await (await openAmqp({ url: `${secure}?verify=verify_none`, prefix }))[Symbol.asyncDispose]();
    await executeOrFail(['rm', '-f', authority.trim()]);
  });
});

async function listen(answer: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => answer(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** An authority and a certificate of it for localhost, valid for a day. */
async function makeCertificates(): Promise<Record<string, string>> {
  const folder = (await executeOrFail(['mktemp', '-d'])).trim();
  const run = (command: string) => executeOrFail(['sh', '-c', `cd ${folder} && ${command}`]);
  const key = '-newkey rsa:2048 -nodes -days 1';
  await run(`openssl req -x509 ${key} -keyout authority.key -out authority.pem -subj /CN=authority`);
  await run(`openssl req -new ${key} -keyout key.pem -out request.pem -subj /CN=localhost`);
  await run('printf subjectAltName=DNS:localhost > names');
  const signing = '-CA authority.pem -CAkey authority.key -CAcreateserial -days 1 -extfile names';
  await run(`openssl x509 -req -in request.pem ${signing} -out certificate.pem`);
  const files: Record<string, string> = {};
  for (const name of ['authority.pem', 'certificate.pem', 'key.pem']) files[name] = await run(`cat ${name}`);
  await executeOrFail(['rm', '-rf', folder]);
  return files;
}
