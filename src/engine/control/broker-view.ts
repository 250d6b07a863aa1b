import type { QueueStatus } from '../../broker/communicator.js';
import { messageOf, WherryError } from '../../errors.js';
import type { Profile } from '../profile.js';
import { processQueue } from './addresses.js';
import { mayBeHeard, openCommunicator } from './open-communicator.js';

/** How the broker of a profile is. */
export interface BrokerView {
  readonly kind: 'embedded' | 'amqp';
  /** Of RabbitMQ, without its password. */
  readonly url: string | null;
  /** Why it cannot be used; work goes on without it. */
  readonly trouble: string | null;
  /** Tasks that make processes; null when nobody knows. */
  readonly tasks: QueueStatus | null;
}

/** Milliseconds: who asks how it is wants to know that it does not answer. */
const patience = 3_000;

/** Looks at the broker. Its trouble is an answer, not an error. */
export async function brokerView(profile: Profile): Promise<BrokerView> {
  const url = profile.settings.broker ?? null;
  const kind = url === null ? 'embedded' : 'amqp';
  if (!mayBeHeard(profile)) return { kind, url, trouble: null, tasks: null };
  try {
    await using communicator = await openCommunicator(profile, { patience });
    return { kind, url, trouble: null, tasks: await communicator.queueStatus(processQueue) };
  } catch (error) {
    if (!(error instanceof WherryError)) throw error;
    return { kind, url, trouble: messageOf(error), tasks: null };
  }
}
