import { WherryError } from '../../errors.js';
import type { Profile } from '../profile.js';
import { wakeSubjects } from './addresses.js';
import { mayBeHeard, openCommunicator } from './open-communicator.js';

/** Milliseconds: who is hurried shall not be waited for. */
const patience = 2_000;

/**
 * Tells all drivers of a profile to look into its store now. Never fails for want of a broker: they look by themselves
 * a little later, and `status` tells what is wrong with it.
 */
export async function hurryDrivers(profile: Profile): Promise<void> {
  if (!mayBeHeard(profile)) return;
  try {
    await using communicator = await openCommunicator(profile, { patience });
    await communicator.broadcast(wakeSubjects.drivers);
  } catch (error) {
    if (!(error instanceof WherryError)) throw error;
  }
}
