import { describe } from 'vitest';
import { broadcastConformance } from './broadcasts.js';
import { callConformance } from './calls.js';
import { endConformance } from './ends.js';
import { nameConformance } from './names.js';
import { parkedConformance } from './parked.js';
import { reconnectionConformance } from './reconnection.js';
import { takenTaskConformance } from './taken-tasks.js';
import { taskConformance } from './tasks.js';
import type { Abilities, OpenWorld } from './world.js';

/**
 * Registers tests of every sentence of the contract in src/broker/communicator.ts.
 *
 * @example
 * communicatorConformance('embedded', () => openWorld(), { cut: true, stall: false, elsewhere: true });
 */
export function communicatorConformance(name: string, openWorld: OpenWorld, abilities: Abilities): void {
  describe(`communicator ${name}`, { timeout: 60_000 }, () => {
    taskConformance(openWorld);
    takenTaskConformance(openWorld, abilities);
    parkedConformance(openWorld);
    callConformance(openWorld, abilities);
    broadcastConformance(openWorld);
    reconnectionConformance(openWorld, abilities);
    endConformance(openWorld, abilities);
    nameConformance(openWorld);
  });
}
