import { isoTime } from '../engine/views.js';
import type { EventData, EventType } from '../store/events.js';
import type { EventRow } from '../store/tables.js';
import { clock } from './process-text.js';
import { printable } from './terminal.js';

type Sentences = { readonly [Type in EventType]?: (data: EventData[Type]) => string };

const sentences: Sentences = {
  'process.created': ({ computer }) => `stored${computer === null ? '' : `, to run on ${computer}`}`,
  'process.state': ({ from, to, exitStatus }) =>
    `${from} → ${to}${exitStatus === undefined ? '' : ` with exit status ${exitStatus}`}`,
  'process.stage': ({ to }) => `next: ${to}`,
  'process.paused': ({ reason }) => `paused: ${reason}`,
  'process.played': () => 'played',
  'process.kill-requested': ({ reason }) => `to be killed: ${reason}`,
  'process.failed-attempt': ({ stage, attempt, message, nextAt }) =>
    `${stage} failed (attempt ${attempt}): ${message}${nextAt === null ? '' : `; next try ${clock(isoTime(nextAt))}`}`,
  'process.clean-requested': ({ reason }) => `its work directory is to be removed: ${reason}`,
  'process.cleaned': ({ directory }) => `its work directory is removed: ${directory}`,
  'process.clean-failed': ({ message, nextAt }) =>
    `its work directory could not be removed: ${message}${nextAt === null ? '' : `; next try ${clock(isoTime(nextAt))}`}`,
  'process.report': ({ level, message }) => (level === 'info' ? message : `${level}: ${message}`),
  'job.intended': ({ attempt, jobName }) => `submission ${attempt} begins: ${jobName}`,
  'job.submitted': ({ jobId }) => `submitted as job ${jobId}`,
  'job.submission-unknown': ({ message }) => `submission unknown: ${message}`,
  'job.absent': ({ jobName }) => `${jobName} never arrived`,
  'job.state': ({ to, word, reason }) => `job ${to} (${word}${reason === undefined ? '' : `: ${reason}`})`,
  'job.adopted': ({ jobId, insteadOf }) =>
    `job ${jobId} of an earlier submission runs in its directory, not ${insteadOf}`,
  'job.ended': ({ state, source }) => `job ended: ${state} (says the ${source})`,
  'computer.opened': ({ durationMs }) => `connected in ${durationMs} ms`,
  'computer.closed': ({ reason }) => `connection closed: ${reason}`,
  'computer.open-failed': ({ message, nextAt }) =>
    `could not be reached: ${message}; next try ${clock(isoTime(nextAt))}`,
  'computer.held': ({ message }) => `held: ${message}`,
  'computer.released': () => 'released',
  'computer.limit-reached': ({ message, nextAt }) =>
    `allows no more jobs: ${message}; next try ${clock(isoTime(nextAt))}`,
  'computer.draining': () => 'takes no new jobs',
  'computer.polled': ({ jobs }) => `listed: ${jobs} jobs of ours`,
  'computer.poll-failed': ({ message }) => `listing failed: ${message}`,
};

/** What happened, in one line that is safe for a terminal. */
export function eventText({ type, data }: Pick<EventRow, 'type' | 'data'>): string {
  const sentence = sentences[type as EventType] as ((data: unknown) => string) | undefined;
  return printable(sentence === undefined ? `${type} ${data}` : sentence(JSON.parse(data)));
}
