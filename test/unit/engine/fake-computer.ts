import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { computerSchema } from '../../../src/config/computer.js';
import { addComputer } from '../../../src/engine/computers.js';
import type { LoadedComputer } from '../../../src/engine/loaded-computer.js';
import type { Connection, OpenOptions } from '../../../src/plugin/transport.js';
import { defineTransport, z } from '../../../src/plugin.js';
import type { Store } from '../../../src/store/store.js';
import { FakeCluster } from '../calcjob/fake-cluster.js';
import { fakeScheduler } from '../calcjob/fake-scheduler.js';

/** A way to a FakeCluster that counts its openings and can be made to fail. */
export class FakeTransport {
  readonly cluster = new FakeCluster();
  /** When each opening began. */
  readonly opened: number[] = [];
  /** What an opening does instead of giving a connection. */
  onOpen: (options: OpenOptions) => Promise<Connection> | undefined = () => undefined;

  readonly definition = defineTransport({
    name: 'fake',
    connection: z.object({}),
    defaults: { minPollInterval: 1, safeOpenInterval: 0 },
    gotoCommand: () => '',
    open: async (_settings, options) => {
      this.opened.push(Date.now());
      return (await this.onOpen(options)) ?? this.cluster.connect();
    },
  });
}

/** A stored computer, ready for use without any plugin being loaded by name. */
export async function loadedComputer(
  store: Store,
  transport: FakeTransport,
  limits: Partial<LoadedComputer['limits']> = {},
): Promise<LoadedComputer> {
  const config = computerSchema.parse({ label: 'fake', transport: 't', scheduler: 's', workDirectory: '/w' });
  return {
    row: await addComputer(store, config),
    config,
    transport: transport.definition,
    scheduler: fakeScheduler,
    schedulerOptions: {},
    connectionSettings: {},
    limits: {
      maxQueued: Number.POSITIVE_INFINITY,
      maxRunning: Number.POSITIVE_INFINITY,
      countForeignJobs: false,
      submitPerMinute: Number.POSITIVE_INFINITY,
      minPollInterval: 1,
      safeOpenInterval: 0,
      maxChannels: 4,
      ...limits,
    },
  };
}

/** Modules that a computer's configuration can name by their path, and that give these two plugins. */
export async function pluginFiles(
  directory: string,
  transport: FakeTransport,
): Promise<{ transport: string; scheduler: string }> {
  const place = `wherry test plugins ${directory}`;
  Object.assign(globalThis, { [place]: { transport: transport.definition, scheduler: fakeScheduler } });
  const write = async (kind: 'transport' | 'scheduler') => {
    const file = path.join(directory, `${kind}.mjs`);
    await writeFile(file, `export default globalThis[${JSON.stringify(place)}].${kind};\n`);
    return file;
  };
  return { transport: await write('transport'), scheduler: await write('scheduler') };
}
