import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { schedule } from './schedule.js';
import { fail, jobNumber, locked, meetServer, now, readJob, server, writeJob } from './state.js';

const words = process.argv.slice(2);
const ids = words[0] === '-W' ? words.slice(2) : words;
for (const id of ids) if (jobNumber(id) === undefined) fail(1, `qdel: illegally formed job identifier: ${id}`);

meetServer('qdel', 162);
const { username } = userInfo();
let code = 0;
for (const id of ids) locked(() => remove(jobNumber(id)));
process.exitCode = code;

function complain(problem, message) {
  code = problem;
  writeFileSync(2, `qdel: ${message}\n`);
}

function remove(number) {
  const job = readJob(number);
  if (job === undefined) return complain(153, `Unknown Job Id ${number}.${server}`);
  if (job.state === 'F') return complain(35, `Job has finished ${job.id}`);
  if (job.user !== username) return complain(159, `Unauthorized Request  ${job.id}`);
  if (job.state === 'R' || job.state === 'E') {
    writeJob({ ...job, deletedBy: username });
    // A mom that has not told its session yet finds the note when it does.
    if (job.sessionId !== undefined) stopMom(job.momPid);
  } else {
    const time = now();
    const comment = job.comment === undefined ? undefined : `${job.comment} and terminated`;
    writeJob({ ...job, state: 'F', substate: 91, mtime: time, historyTimestamp: time, comment });
    schedule();
  }
}

function stopMom(pid) {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}
