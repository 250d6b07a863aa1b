/** A job as qstat shows it: names, order and kinds of values as PBS 23.06 gives them. */
import { timeOf } from './options.js';
import { now, server } from './state.js';

/** `Sat Nov 21 01:00:08 2026`, in the time zone of the one who asks. */
export function longDate(seconds) {
  const [day, month, number, year, time] = new Date(seconds * 1000).toString().split(' ');
  return `${day} ${month} ${number.replace(/^0/, ' ')} ${time} ${year}`;
}

function used(job) {
  if (job.stime === undefined) return undefined;
  const walltime = timeOf((job.obittime ?? now()) - job.stime);
  const { ncpus } = job.resourceList;
  return { cpupercent: 0, cput: '00:00:00', mem: '0kb', ncpus, vmem: '0kb', walltime };
}

const dated = (seconds) => (seconds === undefined ? undefined : longDate(seconds));

/** Attributes that a job does not have are undefined. */
export function attributes(job) {
  return {
    Job_Name: job.name,
    Job_Owner: `${job.user}@${server}`,
    resources_used: used(job),
    job_state: job.state,
    queue: job.queue,
    server,
    Account_Name: job.account,
    Checkpoint: 'u',
    ctime: longDate(job.ctime),
    Error_Path: job.errorPath,
    exec_host: job.execHost,
    exec_vnode: job.execVnode,
    Hold_Types: job.holdTypes,
    Join_Path: job.joinPath,
    Keep_Files: 'n',
    Mail_Points: 'a',
    mtime: longDate(job.mtime),
    Output_Path: job.outputPath,
    Priority: 0,
    qtime: longDate(job.ctime),
    Rerunable: job.rerunable ? 'True' : 'False',
    Resource_List: job.resourceList,
    stime: dated(job.stime),
    obittime: dated(job.obittime),
    session_id: job.sessionId,
    jobdir: job.stime === undefined ? undefined : job.home,
    substate: job.substate,
    Variable_List: job.variables,
    comment: job.comment,
    etime: job.state === 'H' ? undefined : longDate(job.ctime),
    run_count: job.runCount,
    Stageout_status: job.stageoutStatus,
    Exit_status: job.exitStatus,
    Submit_arguments: job.submitArguments,
    history_timestamp: job.historyTimestamp,
    project: '_pbs_project_default',
    Submit_Host: server,
  };
}
