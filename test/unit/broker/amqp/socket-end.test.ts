import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { SocketEnd } from '../../../../src/broker/amqp/socket-end.js';

it('destroys the socket of the latest attempt, however many there were, and lets go of all others', async () => {
  const server = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on('warning', note);
  const end = new SocketEnd();
  const open = async (): Promise<Socket> => {
    const socket = connect({ port, host: '127.0.0.1', ...({ signal: end.signal } as object) });
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  };
  for (let attempt = 0; attempt < 30; attempt++) (await open()).destroy();
  const last = await open();
  const closed = new Promise((resolve) => last.once('close', resolve));
  end.destroy();
  await closed;
  expect(last.destroyed).toBe(true);
  expect(warnings).toEqual([]);
  process.off('warning', note);
  await new Promise((resolve) => server.close(resolve));
});
