import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { loadComputer } from '../src/engine/loaded-computer.js';
import type { ComputerRow } from '../src/store/tables.js';
import type { TestProfile } from '../test/rigs/profile.js';
import { type SimulatedCluster, simulatedTransport } from '../testing/index.js';

/**
 * Makes a simulated cluster a computer of a profile. Its transport is found by path like any other, and therefore by
 * way of a module that hands out what stands in this program.
 */
export async function simulatedComputer(
  rig: TestProfile,
  cluster: SimulatedCluster,
  config: Record<string, unknown>,
): Promise<{ readonly row: ComputerRow } & Disposable> {
  const transport = path.join(rig.directory, 'transport.mjs');
  const shared = globalThis as Record<string, unknown>;
  shared[transport] = simulatedTransport(cluster);
  await writeFile(transport, `export default globalThis[${JSON.stringify(transport)}];\n`);
  const row = await rig.addComputer({
    label: 'simulated',
    transport,
    scheduler: cluster.dialect.name,
    workDirectory: '/scratch/wherry',
    ...config,
  });
  // Modules are loaded beforehand: a virtual clock does not wait for that.
  await loadComputer(row);
  return {
    row,
    [Symbol.dispose]: () => {
      delete shared[transport];
    },
  };
}
