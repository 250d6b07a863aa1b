import { describe, expect, it } from 'vitest';
import { readBrokerUrl } from '../../../../src/broker/amqp/url.js';
import { WherryError } from '../../../../src/errors.js';

const secret = 'hunter2';

describe('the address of a broker', () => {
  it('is taken apart', () => {
    const { connect, shown } = readBrokerUrl('amqp://me:p%40ss@broker.example:5673/my%2Fhost');
    expect(connect).toMatchObject({ protocol: 'amqp', hostname: 'broker.example', port: 5673 });
    expect(connect).toMatchObject({ username: 'me', password: 'p@ss', vhost: 'my%2Fhost' });
    expect(shown).toBe('amqp://me@broker.example:5673/my/host');
  });

  it.each<[string, object]>([
    ['amqp://host', { username: 'guest', password: 'guest', port: 5672, vhost: '/' }],
    ['amqps://host/', { port: 5671, vhost: '/', protocol: 'amqps' }],
    ['amqp://me@host', { username: 'me', password: '' }],
    ['amqp://[::1]:99/v', { hostname: '::1', port: 99, vhost: 'v' }],
  ])('%s has what it does not say', (url, expected) => {
    expect(readBrokerUrl(url).connect).toMatchObject(expected);
  });

  it('takes the password from elsewhere', () => {
    expect(readBrokerUrl('amqp://me@host', secret).connect).toMatchObject({ username: 'me', password: secret });
    expect(readBrokerUrl('amqp://me:other@host', secret).connect).toMatchObject({ password: secret });
  });

  it('reads what TLS needs', () => {
    const url = 'amqps://host?cacertfile=/etc/hosts&verify=verify_none&server_name_indication=other';
    const { tls } = readBrokerUrl(url);
    expect(tls).toMatchObject({ rejectUnauthorized: false, servername: 'other' });
    expect((tls.ca as Buffer).length).toBeGreaterThan(0);
    expect(readBrokerUrl('amqps://host?verify=verify_peer').tls).toEqual({ rejectUnauthorized: true });
  });

  it.each([
    `me:${secret}@host`,
    '',
    `http://me:${secret}@host`,
    `amqp://me:${secret}@`,
    `amqp://me:${secret}@host:99999`,
    `amqp://me:${secret}@host/a/b`,
    `amqp://me:${secret}@host/#x`,
    `amqp://me:${secret}%@host/`,
    `amqp://me:${secret}@host/%zz`,
    `amqp://me:${secret}@host?verify=verify_peer`,
    `amqps://me:${secret}@host?verify=perhaps`,
    `amqps://me:${secret}@host?heartbeat=1`,
    `amqps://me:${secret}@host?cacertfile=/does/not/exist`,
  ])('%j is refused, and the password not repeated', (url) => {
    let error: unknown;
    try {
      readBrokerUrl(url);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(WherryError);
    expect(error).toMatchObject({ code: 'bad-input', hint: expect.stringMatching(/./) });
    expect(JSON.stringify([(error as Error).message, (error as WherryError).hint])).not.toContain(secret);
  });
});
