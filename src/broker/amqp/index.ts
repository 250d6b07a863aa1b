import { WherryError } from '../../errors.js';
import type { Communicator, CommunicatorOptions } from '../communicator.js';
import { AmqpCommunicator } from './communicator.js';
import { Connection } from './connection.js';
import { readBrokerUrl } from './url.js';

export interface AmqpOptions extends CommunicatorOptions {
  /** `amqp://user:password@host:port/vhost`, or `amqps:`. */
  readonly url: string;
  /** Instead of the one in the URL. */
  readonly password?: string;
  /** Before the names of everything at the broker, such as `wherry.<uuid of the profile>`: letters, digits, `_ . -`. */
  readonly prefix: string;
  /** Open also when the broker is not there, and connect when it comes; `onReconnected` tells. Default: fail at once. */
  readonly waitForBroker?: boolean;
  /** Seconds between signs of life; a connection without any for two to three of them is given up. Default: 30. */
  readonly heartbeat?: number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/**
 * Opens a communicator over RabbitMQ, version 3.10 or later.
 *
 * Errors: `bad-input` for what is no address of a broker; `broker-unavailable` when it cannot be reached, refuses us, is
 * too old or none. No message has the password in it.
 */
export async function openAmqp(options: AmqpOptions): Promise<Communicator> {
  const { url, password, prefix, waitForBroker = false, heartbeat = 30, now = Date.now } = options;
  const { attempts = 5, patience = 10_000, onProblem = () => undefined } = options;
  if (!/^[A-Za-z0-9_.-]{1,80}$/.test(prefix)) {
    throw new WherryError('bad-input', 'the prefix of names at the broker has 1 to 80 letters, digits, _ . and -');
  }
  const address = readBrokerUrl(url, password);
  return AmqpCommunicator.open({
    ...{ address, prefix, waitForBroker, heartbeat, now },
    ...{ attempts, patience, onProblem },
  });
}

/**
 * Can this broker be used? Connects, makes nothing there, and goes.
 * Errors: those of `openAmqp`.
 */
export async function probeBroker({ url, password }: Pick<AmqpOptions, 'url' | 'password'>): Promise<void> {
  const address = readBrokerUrl(url, password);
  const patience = { patience: 10_000, heartbeat: 30, waitForBroker: false, onProblem: () => undefined };
  const connection = await Connection.open({ address, ...patience }, []);
  await connection.close();
}
