import { randomUUID } from 'node:crypto';
import { type AmqpOptions, openAmqp } from '../../../src/broker/amqp/index.js';
import type { Communicator } from '../../../src/broker/communicator.js';
import type { CommunicatorWorld } from '../../conformance/communicator/world.js';
import type { Rabbitmq } from '../../rigs/rabbitmq.js';
import { startProxy, type TcpProxy } from '../../rigs/tcp-proxy.js';

/** A profile of its own at a broker. Every communicator reaches it through a proxy of its own, which can be cut. */
export function openAmqpWorld(broker: Rabbitmq): CommunicatorWorld & { readonly prefix: string } {
  const prefix = `wherry.${randomUUID()}`;
  const opened = new Map<Communicator, TcpProxy>();
  const proxyOf = (communicator: Communicator) => {
    const proxy = opened.get(communicator);
    if (proxy === undefined) throw new Error('this communicator was not opened by this world');
    return proxy;
  };
  return {
    prefix,
    async open(options = {}) {
      const proxy = await startProxy({ target: broker.port });
      const given: AmqpOptions = { url: `amqp://127.0.0.1:${proxy.port}`, prefix, ...options };
      const communicator = await openAmqp(given);
      opened.set(communicator, proxy);
      return communicator;
    },
    cut: async (communicator) => proxyOf(communicator).cut(),
    stall: async (communicator) => proxyOf(communicator).stall(),
    elsewhere: { module: 'broker/amqp/index.js', function: 'openAmqp', options: { url: broker.url, prefix } },
    async [Symbol.asyncDispose]() {
      for (const [communicator, proxy] of opened) {
        await communicator[Symbol.asyncDispose]();
        await proxy.stop();
      }
    },
  };
}
