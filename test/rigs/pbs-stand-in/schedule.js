/** Starts what fits: whoever changes or lists jobs does it, so that nothing has to stay running. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { kilobytes } from './options.js';
import { allJobs, configuration, now, server, writeJob } from './state.js';

const mom = fileURLToPath(new URL('./mom.js', import.meta.url));

/** `Sat Nov 21 at 01:00`, as comments have it. */
function moment(seconds) {
  const [day, month, number, , time] = new Date(seconds * 1000).toString().split(' ');
  return `${day} ${month} ${number.replace(/^0/, ' ')} at ${time.slice(0, 5)}`;
}

function places(job) {
  const chunks = job.resourceList.select.split('+').flatMap((text) => {
    const [count, ...parts] = text.split(':');
    const value = Object.fromEntries(parts.map((part) => part.split('=')));
    return Array.from({ length: Number(count) }, () => value);
  });
  const vnode = ({ ncpus, mem }) => `(${server}:ncpus=${ncpus}${mem ? `:mem=${kilobytes(mem)}kb` : ''})`;
  const host = ({ ncpus }, index) => `${server}/${index}${ncpus === '1' ? '' : `*${ncpus}`}`;
  return { execVnode: chunks.map(vnode).join('+'), execHost: chunks.map(host).join('+') };
}

/** To be called with the lock held. */
export function schedule() {
  const jobs = allJobs();
  const total = configuration().cpus ?? 8;
  let free = total;
  for (const job of jobs) if (job.state === 'R' || job.state === 'E') free -= job.resourceList.ncpus;
  for (const job of jobs) {
    if (job.state !== 'Q') continue;
    const wanted = job.resourceList.ncpus;
    const lack = `Insufficient amount of resource: ncpus (R: ${wanted} A: ${free} T: ${total})`;
    if (job.queue === 'stopped') job.comment = 'Not Running: Queue not started.';
    else if (wanted > total) job.comment = `Can Never Run: ${lack}`;
    else if (wanted > free) job.comment = `Not Running: ${lack}`;
    else {
      free -= wanted;
      start(job);
    }
    writeJob(job);
  }
}

function start(job) {
  const { execVnode, execHost } = places(job);
  const time = now();
  Object.assign(job, { state: 'R', substate: 42, stime: time, mtime: time, runCount: 1, execVnode, execHost });
  job.comment = `Job run at ${moment(time)} on ${execVnode}`;
  const child = spawn(process.execPath, [mom, String(job.number)], {
    detached: true,
    stdio: 'ignore',
    env: { PBS_STAND_IN: process.env.PBS_STAND_IN },
  });
  job.momPid = child.pid;
  child.unref();
}
