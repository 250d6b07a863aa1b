import { defineScheduler, z } from '../../src/plugin.js';
import { find, kill, list, submit } from './commands.js';
import { parseKill, parseSubmit } from './outcomes.js';
import { parseFind, parseList } from './parse.js';
import { header, PbsProResources } from './script.js';

/** OpenPBS and PBS Professional, by qsub, qstat, qselect and qdel. */
export default defineScheduler({
  name: 'pbspro',
  resources: PbsProResources,
  options: z.strictObject({}).default({}),
  settings: [
    'queue',
    'account',
    'headerLines',
    'rerunnable',
    'mail',
    'hold',
    'beginTime',
    'exclusive',
    'importEnvironment',
  ],
  // The listing has the history of ended jobs; there are no other records that users may read.
  can: { accounting: false, findByName: true, arrays: true, dependencies: true, hold: true },
  commands: ['qsub', 'qstat', 'qselect', 'qdel'],
  jobIdVariable: 'PBS_JOBID',
  settleTime: 60,
  header,
  submit,
  parseSubmit,
  list,
  parseList,
  find,
  parseFind,
  kill,
  parseKill,
});
