import { afterAll, beforeAll } from 'vitest';
import { communicatorConformance } from '../../conformance/communicator/index.js';
import { type Rabbitmq, startRabbitmq } from '../../rigs/rabbitmq.js';
import { openAmqpWorld } from './amqp-world.js';

let broker: Rabbitmq;
beforeAll(async () => {
  broker = await startRabbitmq();
});
afterAll(() => broker[Symbol.asyncDispose]());

communicatorConformance('amqp', async () => openAmqpWorld(broker), { cut: true, stall: true, elsewhere: true });
