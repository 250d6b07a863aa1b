import { randomUUID } from 'node:crypto';
import { connect, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAmqp } from '../../../src/broker/amqp/index.js';
import { ample } from '../../conformance/communicator/world.js';
import { type Rabbitmq, startRabbitmq } from '../../rigs/rabbitmq.js';
import { startProxy } from '../../rigs/tcp-proxy.js';
import { until } from '../../rigs/until.js';

/** What becomes of an address when its owner has been away. */
describe('an address whose owner lost the connection', () => {
  const patience = { timeout: ample };
  let broker: Rabbitmq;
  beforeAll(async () => {
    broker = await startRabbitmq();
  });
  afterAll(() => broker[Symbol.asyncDispose]());

  async function openBehind(port: number, prefix: string) {
    const problems: { readonly code?: string }[] = [];
    const onProblem = (problem: unknown) => problems.push(problem as (typeof problems)[number]);
    const communicator = await openAmqp({ url: `amqp://127.0.0.1:${port}`, prefix, onProblem });
    return { communicator, problems };
  }

  it('is its own again when the broker does not know yet that the old connection is dead', async () => {
    const prefix = `wherry.${randomUUID()}`;
    await using proxy = await startOneSidedProxy(broker.port);
    const { communicator, problems } = await openBehind(proxy.port, prefix);
    await using _ = communicator;
    await using other = await openAmqp({ url: broker.url, prefix });
    let told = 0;
    communicator.onReconnected(() => {
      told++;
    });
    await communicator.serve('worker.1', { who: () => 'the same' });
    proxy.cutBelow();
    await until(() => told === 1, { what: 'another connection', timeout: ample });
    expect(await other.call('worker.1', 'who', null, patience)).toBe('the same');
    expect(problems.map(({ code }) => code)).toEqual(['broker-lost']);
  });

  it('belongs to whoever took it meanwhile, and the old owner is told', async () => {
    const prefix = `wherry.${randomUUID()}`;
    await using proxy = await startProxy({ target: broker.port });
    const { communicator, problems } = await openBehind(proxy.port, prefix);
    await using _ = communicator;
    await using other = await openAmqp({ url: broker.url, prefix });
    await communicator.serve('worker.1', { who: () => 'the old one' });
    await communicator.serve('worker.2', { who: () => 'still the old one' });
    proxy.refuse(true);
    proxy.cut();
    const free = async () => {
      const attempt = other.serve('worker.1', { who: () => 'the new one' });
      return attempt.then(
        () => true,
        () => false,
      );
    };
    await until(free, { what: 'the address free', timeout: ample });
    proxy.refuse(false);
    await until(() => communicator.connected, { what: 'another connection', timeout: ample });
    expect(problems.map(({ code }) => code)).toContain('name-taken');
    expect(await communicator.call('worker.1', 'who', null, patience)).toBe('the new one');
    expect(await other.call('worker.2', 'who', null, patience)).toBe('still the old one');
  });
});

/** A proxy that can break its clients' connections while the server still takes them for alive. */
async function startOneSidedProxy(target: number) {
  const clients = new Set<Socket>();
  const upstreams = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    clients.add(client);
    upstreams.add(upstream);
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
    client.on('data', (chunk) => upstream.write(chunk));
    upstream.on('data', (chunk) => client.write(chunk));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    port,
    cutBelow() {
      for (const client of clients) client.resetAndDestroy();
      clients.clear();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of [...clients, ...upstreams]) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
