import type { Transition } from '../process/transition.js';
import { lateJob } from './claim.js';
import { type CalcJobContext, type CalcJobState, readState, writeState } from './context.js';

/** The process goes on with the job that came late and ran; undefined when the job that has ended is the one that ran. */
export async function adoption(context: CalcJobContext): Promise<Transition | undefined> {
  const { row } = context;
  const jobId = await lateJob(context);
  if (jobId === undefined) return undefined;
  return {
    to: 'waiting',
    stage: 'update',
    changes: {
      job_id: jobId,
      ...{ scheduler_state: null, scheduler_word: null, scheduler_reason: null, job_info: null },
      checkpoint: writeState(beforeJob(readState(row))),
      waiting_for: 'the scheduler',
      waiting_since: context.now(),
    },
    events: [{ type: 'job.adopted', data: { jobId, insteadOf: row.job_id ?? '' } }],
  };
}

/** What is remembered of a process before its job has run. */
function beforeJob({ stash }: CalcJobState): CalcJobState {
  return stash === undefined ? {} : { stash: 'wanted' };
}
