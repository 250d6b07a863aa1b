import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Communicator } from '../../broker/communicator.js';
import { profileUuid } from '../../store/profile-uuid.js';
import type { Profile } from '../profile.js';

export interface OpenOptions {
  /** Told of what nobody waits for. */
  readonly onProblem?: (error: unknown) => void;
  /** Begin also while the broker is away; else that is an error. */
  readonly waitForBroker?: boolean;
  /** Is this the program through which all others of this host shall speak to each other? */
  readonly preferred?: boolean;
  /** Milliseconds for whatever has no patience of its own. Default: 10 000. */
  readonly patience?: number;
}

/**
 * Opens the communicator of a profile: RabbitMQ where its settings name one, else the programs of this host speak to each
 * other through one of them.
 * Errors: `broker-unavailable`.
 */
export async function openCommunicator(profile: Profile, options: OpenOptions = {}): Promise<Communicator> {
  const { location, settings, store } = profile;
  const { onProblem = () => undefined, waitForBroker = false, preferred = false, patience = 10_000 } = options;
  if (settings.broker === undefined) {
    const { openEmbedded } = await import('../../broker/embedded/index.js');
    const { directory } = location;
    return openEmbedded({ directory, hub: preferred ? 'prefer' : 'if-needed', waitForBroker, patience, onProblem });
  }
  const { openAmqp } = await import('../../broker/amqp/index.js');
  const { readSecrets } = await import('../../config/secrets.js');
  const { broker: password } = await readSecrets(location, process.env);
  return openAmqp({
    url: settings.broker,
    ...(password === undefined ? {} : { password }),
    prefix: `wherry.${await profileUuid(store)}`,
    waitForBroker,
    patience,
    onProblem,
  });
}

/** May somebody listen? Where nobody does, a short command need not open a communicator. */
export function mayBeHeard({ location, settings }: Profile): boolean {
  return settings.broker !== undefined || existsSync(join(location.directory, 'broker.sock'));
}
