import { defineScheduler, z } from '../../src/plugin.js';
import { accounting, find, kill, list, submit } from './commands.js';
import { parseKill, parseSubmit } from './outcomes.js';
import { parseAccounting, parseFind, parseList } from './parse.js';
import { header, SlurmResources } from './script.js';

/** Slurm, by sbatch, squeue, sacct and scancel. */
export default defineScheduler({
  name: 'slurm',
  resources: SlurmResources,
  options: z.strictObject({}).default({}),
  settings: [
    'queue',
    'account',
    'qos',
    'constraint',
    'headerLines',
    'rerunnable',
    'mail',
    'hold',
    'beginTime',
    'exclusive',
    'importEnvironment',
  ],
  can: { accounting: true, findByName: true, arrays: true, dependencies: true, hold: true },
  commands: ['sbatch', 'squeue', 'scancel', 'sacct'],
  jobIdVariable: 'SLURM_JOB_ID',
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
  accounting,
  parseAccounting,
});
