import { defineTransport, quote, z } from '../../src/plugin.js';
import { openConnection } from './connection.js';

/** The machine on which Wherry itself runs, without any network. */
export default defineTransport({
  name: 'local',
  connection: z.strictObject({}),
  defaults: { minPollInterval: 1000, safeOpenInterval: 0 },
  gotoCommand: (_settings, directory) => `cd ${quote(directory)}`,
  open: async (_settings, options) => openConnection(options),
});
