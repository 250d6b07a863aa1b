/** Runs one job from its start to the delivery of its output, in the place of PBS's mom. */
import { spawn } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { secondsOf } from './options.js';
import { schedule } from './schedule.js';
import { locked, now, readJob, server, spoolFile, writeJob } from './state.js';

const killDelay = 2000;
const number = Number(process.argv[2]);
// The lock is held by whoever started this process until the job is written down as running.
const job = locked(() => readJob(number));
let ending;

const output = openSync(spoolFile(job, 'OU'), 'w');
const error = job.joinPath === 'oe' ? output : openSync(spoolFile(job, 'ER'), 'w');
const nodeFile = spoolFile(job, 'nodes');
writeFileSync(nodeFile, `${server}\n`.repeat(job.resourceList.nodect));
// The shell is given the path of the script, so that its first line counts. PBS takes a login shell; profiles of whoever
// runs the tests have no place in them.
const child = spawn('/bin/bash', [], {
  detached: true,
  cwd: job.home,
  stdio: ['pipe', output, error],
  env: environment(),
});
child.stdin.on('error', (problem) => {
  if (problem.code !== 'EPIPE') throw problem;
});
child.stdin.end(`${spoolFile(job, 'SC')}\n`);
update({ sessionId: child.pid });
if (readJob(number).deletedBy !== undefined) end('deleted');

process.on('SIGTERM', () => end('deleted'));
const { walltime } = job.resourceList;
// Timers hold at most some 24 days.
const timer = walltime && setTimeout(() => end('walltime'), Math.min(secondsOf(walltime) * 1000, 2 ** 31 - 1));
child.on('exit', (code, signal) => {
  clearTimeout(timer);
  killSession('SIGKILL');
  finish(code ?? 128 + constants.signals[signal]);
});

function environment() {
  return {
    ...job.variables,
    HOME: job.home,
    USER: job.user,
    LOGNAME: job.user,
    SHELL: '/bin/bash',
    PATH: '/usr/local/bin:/usr/bin:/bin',
    TMPDIR: '/tmp',
    NCPUS: String(job.resourceList.ncpus),
    PBS_ENVIRONMENT: 'PBS_BATCH',
    PBS_JOBID: job.id,
    PBS_JOBNAME: job.name,
    PBS_JOBDIR: job.home,
    PBS_QUEUE: job.queue,
    PBS_NODEFILE: nodeFile,
    PBS_STAND_IN_JOB: `${process.env.PBS_STAND_IN}#${number}`,
  };
}

function update(fields) {
  locked(() => writeJob({ ...readJob(number), mtime: now(), ...fields }));
}

function end(reason) {
  ending ??= reason;
  killSession('SIGTERM');
  setTimeout(() => killSession('SIGKILL'), killDelay);
}

/** The processes of the job's session, whatever their groups. */
function killSession(signal) {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || sessionOf(name) !== child.pid) continue;
    try {
      process.kill(Number(name), signal);
    } catch (problem) {
      if (problem.code !== 'ESRCH') throw problem;
    }
  }
}

function sessionOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(text.slice(text.lastIndexOf(') ') + 2).split(' ')[3]);
  } catch (problem) {
    if (problem.code === 'ENOENT' || problem.code === 'ESRCH') return undefined;
    throw problem;
  }
}

function finish(code) {
  if (ending === 'walltime') {
    const seconds = now() - job.stime;
    appendFileSync(error, `=>> PBS: job killed: walltime ${seconds} exceeded limit ${secondsOf(walltime)}\n`);
  }
  for (const descriptor of new Set([output, error])) closeSync(descriptor);
  const end = { exitStatus: ending === 'walltime' ? -29 : code, obittime: now() };
  update({ ...end, state: 'E', substate: 51 });
  const delivered = deliver('OU', job.outputPath) && (job.joinPath === 'oe' || deliver('ER', job.errorPath));
  locked(() => {
    const last = readJob(number);
    const how =
      ending === 'walltime'
        ? 'exceeded resource walltime'
        : ending === 'deleted'
          ? `terminated by ${last.deletedBy}@${server}`
          : code === 0
            ? 'finished'
            : 'failed';
    const substate = ending === 'deleted' ? 91 : end.exitStatus === 0 ? 92 : 93;
    const fields = { state: 'F', substate, historyTimestamp: now(), mtime: now(), stageoutStatus: delivered ? 1 : 0 };
    writeJob({ ...last, ...fields, comment: `${last.comment} and ${how}` });
    schedule();
  });
}

function deliver(suffix, target) {
  const path = target.slice(target.indexOf(':') + 1);
  const spooled = spoolFile(job, suffix);
  try {
    const folder = statSync(path, { throwIfNoEntry: false })?.isDirectory();
    copyFileSync(spooled, folder ? join(path, `${job.id}.${suffix}`) : path);
  } catch (problem) {
    if (!['ENOENT', 'EACCES', 'ENOTDIR', 'EROFS', 'ENOSPC', 'EDQUOT'].includes(problem.code)) throw problem;
    return false;
  }
  rmSync(spooled, { force: true });
  return true;
}
