import { type Connection, defineTransport, type OpenOptions, z } from '../../src/plugin.js';

/** How the connections of one simulated computer are opened. */
export type Opening = (options: OpenOptions) => Promise<Connection>;

/** The computers of this program, which may have loaded this module twice: by its name and by its path. */
const kept = globalThis as { simulatedComputers?: Map<string, Opening> };
kept.simulatedComputers ??= new Map();
const openings = kept.simulatedComputers;

/** Makes a computer known to the transport under a name, until it is disposed of. */
export function announce(name: string, opening: Opening): Disposable {
  openings.set(name, opening);
  return { [Symbol.dispose]: () => openings.delete(name) };
}

/** A transport plugin that is found by the path of this file; its computers are found by their names. */
// biome-ignore lint/style/noDefaultExport: plugins are found as the default of their module
export default defineTransport({
  name: 'simulated',
  connection: z.strictObject({ name: z.string() }),
  defaults: { minPollInterval: 30_000, safeOpenInterval: 0 },
  gotoCommand: ({ name }) => `echo ${name}`,
  open: ({ name }, options) => {
    const opening = openings.get(name);
    if (opening === undefined) throw new Error(`there is no simulated computer ${name}`);
    return opening(options);
  },
});
