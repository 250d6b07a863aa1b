import { connect, createServer, type Socket } from 'node:net';

export type Direction = 'up' | 'down';

export interface ProxyOptions {
  /** Port on the loopback interface. */
  readonly target: number;
  /** Milliseconds that bytes wait in each direction. Default 0. */
  readonly delayMs?: number;
}

export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Bytes that went towards the target and back since the start. */
  readonly bytes: Readonly<Record<Direction, number>>;
  /** Connections accepted so far, those that were then refused among them. */
  connections(): number;
  /** When each of them came, in milliseconds since the epoch. */
  connectedAt(): readonly number[];
  /** Breaks all connections at once; new ones are accepted. */
  cut(): void;
  /** Lets nothing through, without any sign to either side. */
  stall(): void;
  resume(): void;
  /** Breaks all connections once this many further bytes went in one direction. */
  cutAfter(bytes: number, direction: Direction): void;
  /** From now on new connections are broken at once (true) or accepted again (false). */
  refuse(refused?: boolean): void;
  /** From now on tells of each piece of data that goes through; nobody when undefined. */
  watch(listener: ((direction: Direction, bytes: number) => void) | undefined): void;
  stop(): Promise<void>;
}

/** A TCP proxy on a free port of the loopback interface that delays, stalls and cuts on request. */
export async function startProxy(options: ProxyOptions): Promise<TcpProxy> {
  const open = new Set<Socket>();
  const bytes = { up: 0, down: 0 };
  const limits: Record<Direction, number> = { up: Number.POSITIVE_INFINITY, down: Number.POSITIVE_INFINITY };
  const delay = options.delayMs ?? 0;
  let refused = false;
  let stalled = false;
  const accepted: number[] = [];
  let watcher: ((direction: Direction, bytes: number) => void) | undefined;

  const cut = () => {
    for (const socket of open) socket.resetAndDestroy();
    open.clear();
    limits.up = Number.POSITIVE_INFINITY;
    limits.down = Number.POSITIVE_INFINITY;
  };

  const pipe = (from: Socket, to: Socket, direction: Direction) => {
    const later = (action: () => void) => (delay > 0 ? setTimeout(action, delay) : action());
    from.on('data', (chunk: Buffer) => {
      const allowed = limits[direction] - bytes[direction];
      const part = allowed < chunk.length ? chunk.subarray(0, Math.max(0, allowed)) : chunk;
      bytes[direction] += part.length;
      watcher?.(direction, part.length);
      later(() => {
        if (!to.destroyed && part.length > 0 && !to.write(part)) {
          from.pause();
          to.once('drain', () => {
            if (!stalled) from.resume();
          });
        }
        if (part.length < chunk.length) cut();
      });
    });
    from.on('end', () => later(() => to.end()));
    from.on('error', () => to.destroy());
    from.on('close', () => {
      open.delete(from);
      later(() => to.destroy());
    });
  };

  const server = createServer({ allowHalfOpen: true }, (client) => {
    accepted.push(Date.now());
    if (refused) {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect({ port: options.target, host: '127.0.0.1', allowHalfOpen: true });
    client.setNoDelay(true);
    upstream.setNoDelay(true);
    for (const socket of [client, upstream]) {
      open.add(socket);
      if (stalled) socket.pause();
    }
    pipe(client, upstream, 'up');
    pipe(upstream, client, 'down');
    if (stalled) for (const socket of open) socket.pause();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');

  const stop = async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of open) socket.destroy();
    await closed;
  };
  return {
    port: address.port,
    bytes,
    connections: () => accepted.length,
    connectedAt: () => accepted,
    cut,
    stall() {
      stalled = true;
      for (const socket of open) socket.pause();
    },
    resume() {
      stalled = false;
      for (const socket of open) socket.resume();
    },
    cutAfter(count, direction) {
      limits[direction] = bytes[direction] + count;
    },
    refuse(value = true) {
      refused = value;
    },
    watch(listener) {
      watcher = listener;
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
