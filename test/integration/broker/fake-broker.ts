import { createRequire } from 'node:module';
import { createServer, type Socket } from 'node:net';
import { dirname, join } from 'node:path';

interface Protocol {
  readonly ConnectionStart: number;
  readonly ConnectionStartOk: number;
  readonly ConnectionTune: number;
  readonly ConnectionTuneOk: number;
  readonly ConnectionOpen: number;
  readonly ConnectionOpenOk: number;
  readonly ConnectionClose: number;
  readonly ConnectionCloseOk: number;
  encodeMethod(method: number, channel: number, fields: object): Buffer;
}

const load = createRequire(import.meta.url);
/** Its description of the protocol works for the other side as well, though it is not exported. */
const protocol = load(join(dirname(load.resolve('amqplib')), 'lib/defs.js')) as Protocol;

/** A server that speaks just enough AMQP to be connected to, and claims to be what it is told. */
export async function startFakeBroker(serverProperties: object) {
  const sockets = new Set<Socket>();
  /** Methods that came after the connection was open. */
  const wanted: number[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    const say = (method: number, fields: object) => socket.write(protocol.encodeMethod(method, 0, fields));
    const answers: Record<number, () => void> = {
      [protocol.ConnectionStartOk]: () =>
        say(protocol.ConnectionTune, { channelMax: 0, frameMax: 131072, heartbeat: 0 }),
      [protocol.ConnectionTuneOk]: () => undefined,
      [protocol.ConnectionOpen]: () => say(protocol.ConnectionOpenOk, { knownHosts: '' }),
      [protocol.ConnectionClose]: () => say(protocol.ConnectionCloseOk, {}),
    };
    const start = { versionMajor: 0, versionMinor: 9, serverProperties };
    let received = Buffer.alloc(0);
    let greeted = false;
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (!greeted && received.length >= 8) {
        greeted = true;
        received = received.subarray(8);
        say(protocol.ConnectionStart, { ...start, mechanisms: Buffer.from('PLAIN'), locales: Buffer.from('en_US') });
      }
      // A frame: type, channel, size, as much payload, one byte at the end. A method begins with its number.
      while (greeted && received.length >= 8 && received.length >= received.readUInt32BE(3) + 8) {
        const size = received.readUInt32BE(3);
        if (received[0] === 1) {
          const method = received.readUInt32BE(7);
          answers[method]?.();
          if (answers[method] === undefined) wanted.push(method);
        }
        received = received.subarray(size + 8);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    port,
    wanted,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
