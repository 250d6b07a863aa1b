import { defineTransport, quote, z } from '../../src/plugin.js';
import { openConnection } from './connection.js';

/** The machine on which Wherry itself runs, without any network. */
export default defineTransport({
  name: 'local',
  connection: z.strictObject({
    /** The machine that is meant, by its host name, where several hosts share a profile. */
    host: z.string().min(1).optional(),
  }),
  defaults: { minPollInterval: 1000, safeOpenInterval: 0 },
  gotoCommand: (_settings, directory) => `cd ${quote(directory)}`,
  onlyFrom: ({ host }) => host,
  open: async (_settings, options) => openConnection(options),
});
