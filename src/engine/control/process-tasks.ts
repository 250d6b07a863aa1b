import { setTimeout as delay } from 'node:timers/promises';
import type { Json, Task } from '../../broker/communicator.js';
import { jobSchema } from '../../config/job.js';
import { validate } from '../../config/validate.js';
import { messageOf, WherryError } from '../../errors.js';
import { submitJobs } from '../prepare-jobs.js';
import type { Profile } from '../profile.js';
import { applyIntent } from './apply-intent.js';
import { type ProcessTask, processTask } from './messages.js';

/** Milliseconds before what failed for a reason that passes is given to somebody again. */
const pause = 1_000;

/**
 * Does what a task asks for: calcjobs are stored, or go on. It is acknowledged when that is committed. What cannot be
 * done is told to whoever waits for it, else it is parked.
 */
export async function carryOutTask(profile: Profile, task: Task, signal: AbortSignal): Promise<void> {
  // Goes back to its queue, as another attempt, unless it comes to one of these ends.
  await using _ = task;
  try {
    const order = processTask.safeParse(task.body);
    if (!order.success) throw new WherryError('message-refused', 'that is no task for processes');
    await task.accept(await carryOut(profile, order.data));
  } catch (error) {
    if (error instanceof WherryError && error.transient) await delay(pause, undefined, { signal, ref: false });
    else if (task.awaited) await task.refuse(error);
    else await task.park(messageOf(error));
  }
}

/** Done twice it is done once: a process is stored under the identifier that its task names. */
async function carryOut(profile: Profile, order: ProcessTask): Promise<Json> {
  if (order.task === 'continue') {
    const { id, uuid, state } = await applyIntent(profile.store, { id: order.id, intent: 'play' });
    return { id, uuid, state };
  }
  const origin = { source: '' };
  const job = validate(order.job, jobSchema, origin);
  const later = order.task === 'create' ? { pausedFor: 'it was created, and is to be continued' } : {};
  const [row] = await submitJobs(profile, [{ job, files: order.files, origin, uuid: order.uuid, ...later }]);
  if (row === undefined) throw new WherryError('internal', 'a job was given and none was stored');
  return { id: row.id, uuid: row.uuid, state: row.state };
}
