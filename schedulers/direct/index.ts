import { defineScheduler } from '../../src/plugin.js';
import { accounting, DirectOptions, DirectResources, find, kill, list, submit } from './commands.js';
import { parseKill, parseList, parseSubmit } from './parse.js';
import { header } from './script.js';

/** A queue of its own for a computer without a batch system. */
export default defineScheduler({
  name: 'direct',
  resources: DirectResources,
  options: DirectOptions,
  settings: [],
  can: { accounting: true, findByName: true, arrays: false, dependencies: false, hold: false },
  commands: ['flock', 'setsid'],
  jobIdVariable: 'WHERRY_DIRECT_ID',
  settleTime: 5,
  header,
  submit,
  parseSubmit,
  list,
  parseList,
  find,
  parseFind: parseList,
  kill,
  parseKill,
  accounting,
  parseAccounting: parseList,
});
