import { describe, expect, it } from 'vitest';
import { checkServer, operationTrouble } from '../../../../src/broker/amqp/troubles.js';

describe('a broker', () => {
  it.each(['3.10.0', '3.10.8', '3.13.1-rc.2', '4.0.0', '4.3.1', '10.0'])('of version %s will do', (version) => {
    checkServer({ product: 'RabbitMQ', version }, 'amqp://host');
  });

  it.each(['3.9.29', '3.8.14', '2.8.7', 'unknown', undefined])('of version %s is too old', (version) => {
    expect(() => checkServer({ product: 'RabbitMQ', version }, 'amqp://host')).toThrow('too old');
  });

  it('that is another one will not do', () => {
    expect(() => checkServer({ product: 'Qpid', version: '9' }, 'amqp://host')).toThrow('is no RabbitMQ');
    expect(() => checkServer({}, 'amqp://host')).toThrow('is no RabbitMQ');
  });

  it.each([
    [403, false],
    [406, false],
    [404, true],
    [541, true],
  ])('that refuses with %i may change its mind: %s', (code, transient) => {
    const error = operationTrouble(Object.assign(new Error('Operation failed\nmore'), { code }));
    expect(error).toMatchObject({
      code: 'broker-unavailable',
      transient,
      message: 'the broker refused: Operation failed',
    });
  });
});
