/**
 * Processes that run code of a user, and use no computer for it, stand in lanes: whoever holds the lease of a lane
 * drives all that stand in it. Workers share some; a program that runs processes itself has one of its own.
 */

/** More than workers that share them, so that each gets some. */
const shared = 8;

/** Of those that workers take up. */
export const sharedLanes: readonly string[] = Array.from({ length: shared }, (_, index) => `shared:${index}`);

const programPrefix = 'program:';

/** The lane of a program. @param owner of its leases */
export function programLane(owner: string): string {
  return `${programPrefix}${owner}`;
}

/** Where the lanes of programs stand among all, in order. */
export const programLanes = { from: programPrefix, below: 'program;' } as const;

/** The shared lane of a process. */
export function sharedLaneOf(uuid: string): string {
  return `shared:${Number.parseInt(uuid.slice(0, 8), 16) % shared}`;
}

/** The lease of a lane. */
export function laneLease(lane: string): string {
  return `lane:${lane}`;
}
