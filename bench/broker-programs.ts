import type { Communicator } from '../src/broker/communicator.js';

/** How a program opens one of the communicators that are measured, in words that another process understands. */
export interface Opening {
  readonly kind: 'amqp' | 'embedded';
  readonly options: object;
}

export async function openBy({ kind, options }: Opening): Promise<Communicator> {
  if (kind === 'amqp') {
    const { openAmqp } = await import('../src/broker/amqp/index.js');
    return openAmqp(options as Parameters<typeof openAmqp>[0]);
  }
  const { openEmbedded } = await import('../src/broker/embedded/index.js');
  return openEmbedded(options as Parameters<typeof openEmbedded>[0]);
}

export const queue = 'bench';
export const address = 'bench.peer';
