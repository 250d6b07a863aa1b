import { readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { basename, resolve } from 'node:path';
import { badUsage, readDirectives, readOptions, resourceList, secondsOf } from './options.js';
import { schedule } from './schedule.js';
import {
  allJobs,
  configuration,
  fail,
  locked,
  meetServer,
  nextNumber,
  now,
  server,
  spoolFile,
  whileFault,
  writeJob,
} from './state.js';

const words = process.argv.slice(2);
const { options: given, rest } = readOptions(words);
if (rest.length > 1) badUsage('only one script can be given to the stand-in');
const script = readScript(rest[0]);
const options = [...readDirectives(script), ...given];
const option = (letter) => options.findLast(([name]) => name === letter)?.[1];
for (const [letter] of options) {
  if ('aJWIX'.includes(letter)) fail(99, `qsub: the stand-in knows no -${letter}`);
}

const { username, homedir, shell } = userInfo();
const name = option('N') ?? (rest[0] ? basename(rest[0]) : 'STDIN');
if (name.length > 236) fail(2, 'qsub: Job name is too long ');
if (!/^[\w.+-]+$/.test(name)) badUsage('illegal -N value');
const resources = resourceList(options.filter(([letter]) => letter === 'l').map(([, value]) => value));

meetServer('qsub', 162);
const queue = option('q') ?? 'workq';
const job = locked(() => {
  const refusal = refusalOf();
  if (refusal) return refusal;
  const accepted = makeJob(nextNumber());
  writeFileSync(spoolFile(accepted, 'SC'), script, { mode: 0o700 });
  writeJob(accepted);
  schedule();
  return accepted;
});
if (job.code) fail(job.code, job.message);
whileFault('hang-after-accept');
writeFileSync(1, `${job.id}\n`);

function readScript(file) {
  let text;
  try {
    text = readFileSync(file ?? 0, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') fail(1, 'qsub: script file:: No such file or directory');
    throw error;
  }
  if (text.includes('\r\n')) fail(1, 'qsub: script contains cr, lf');
  return text;
}

/** What the server says against the job: code and message. All but an unknown queue use up a number. */
function refusalOf() {
  const refusal = judge();
  if (refusal && refusal.code !== 170) nextNumber();
  return refusal;
}

function judge() {
  if (!['workq', 'small', 'closed', 'stopped', 'limited', 'priv'].includes(queue)) {
    return { code: 170, message: 'qsub: Unknown queue' };
  }
  if (queue === 'closed') return { code: 173, message: 'qsub: Queue is not enabled' };
  if (queue === 'priv') return { code: 159, message: 'qsub: Unauthorized Request ' };
  if (queue === 'small') {
    resources.walltime ??= '00:05:00';
    if (secondsOf(resources.walltime) > 600) {
      return { code: 188, message: 'qsub: Job violates queue and/or server resource limits' };
    }
  }
  const most = queue === 'limited' ? 1 : queue === 'workq' ? configuration().maxQueued : undefined;
  const mine = allJobs().filter((one) => one.queue === queue && one.state !== 'F' && one.user === username).length;
  if (most !== undefined && mine >= most) {
    return { code: 38, message: "qsub: would exceed queue generic's per-user limit" };
  }
  return undefined;
}

function outputPath(letter, suffix, number) {
  const path = (option(letter) ?? '').replace(/^[^/]*:/, '');
  const file = resolve(process.cwd(), path || `${name}.${suffix}${number}`);
  return `${server}:${path.endsWith('/') ? `${file}/` : file}`;
}

function makeJob(number) {
  const time = now();
  const held = options.some(([letter]) => letter === 'h');
  return {
    number,
    id: `${number}.${server}`,
    name,
    user: username,
    home: homedir,
    state: held ? 'H' : 'Q',
    substate: held ? 20 : 10,
    holdTypes: held ? 'u' : 'n',
    queue,
    ctime: time,
    mtime: time,
    joinPath: option('j') ?? 'n',
    outputPath: outputPath('o', 'o', number),
    errorPath: outputPath('e', 'e', number),
    rerunable: option('r') !== 'n',
    account: option('A'),
    resourceList: resources,
    shell: option('S') ?? shell ?? '/bin/sh',
    variables: {
      PBS_O_HOME: homedir,
      PBS_O_LOGNAME: username,
      PBS_O_PATH: process.env.PATH ?? '',
      PBS_O_MAIL: `/var/mail/${username}`,
      PBS_O_SHELL: shell ?? '/bin/sh',
      PBS_O_INTERACTIVE_AUTH_METHOD: 'resvport',
      PBS_O_INTERACTIVE_ENCRYPT_METHOD: '',
      PBS_O_WORKDIR: process.cwd(),
      PBS_O_SYSTEM: 'Linux',
      PBS_O_QUEUE: queue,
      PBS_O_HOST: server,
      ...Object.fromEntries(exported()),
    },
    submitArguments: words.join(' '),
  };
}

function exported() {
  const all = options.some(([letter]) => letter === 'V') ? Object.entries(process.env) : [];
  const named = (option('v') ?? '').split(',').filter(Boolean);
  return [...all, ...named.map((word) => (word.includes('=') ? splitOnce(word) : [word, process.env[word] ?? '']))];
}

function splitOnce(word) {
  return [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)];
}
