import { openProfile, type Profile } from '../engine/profile.js';
import type { GlobalArguments } from './command.js';

/** Opens the profile that the arguments name, for the time of `work`. */
export async function withProfile<T>(given: GlobalArguments, work: (profile: Profile) => Promise<T>): Promise<T> {
  await using profile = await openProfile({ home: given.home, profile: given.profile });
  return await work(profile);
}
