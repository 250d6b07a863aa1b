/**
 * The transport `ssh`: one connection to the computer's ssh server, held by this process.
 * @module
 */
import { defineTransport } from '../../src/plugin.js';
import { openConnection } from './connection.js';
import { gotoCommand } from './goto.js';
import { SshSettings } from './settings.js';

export default defineTransport<SshSettings>({
  name: 'ssh',
  connection: SshSettings,
  defaults: { minPollInterval: 10_000, safeOpenInterval: 5_000 },
  gotoCommand,
  open: openConnection,
});
