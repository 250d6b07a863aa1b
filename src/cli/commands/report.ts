import type { Profile } from '../../engine/profile.js';
import { isoTime } from '../../engine/views.js';
import { type EventData, type EventType, eventsOf } from '../../store/events.js';
import { fromJson } from '../../store/store.js';
import type { EventRow, ProcessRow } from '../../store/tables.js';
import { defineCommand, idPositional, json } from '../command.js';
import { findProcess } from '../find-process.js';
import { clock, nameOf } from '../process-text.js';
import { paint, print, printable, printableLines, printJson, say } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: idPositional,
  options: { json },
  examples: [['$0 3', 'what happened to process 3, and what its command said when it failed']],
  run: (given) =>
    withProfile(given, async (profile) => {
      const row = await findProcess(profile.store, given.id);
      const events = await eventsOf(profile.store, row.id);
      if (given.json) {
        printJson(events.map(({ id, at, type, data }) => ({ id, at: isoTime(at), type, data: JSON.parse(data) })));
        return 0;
      }
      say(nameOf(row));
      for (const event of events) print(`${clock(isoTime(event.at))}  ${printable(sentenceOf(event))}`);
      for (const line of await troubles(profile, row)) print(line);
      return 0;
    }),
});

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
  'process.report': ({ level, message }) => (level === 'info' ? message : `${level}: ${message}`),
  'job.intended': ({ attempt, jobName }) => `submission ${attempt} begins: ${jobName}`,
  'job.submitted': ({ jobId }) => `submitted as job ${jobId}`,
  'job.submission-unknown': ({ message }) => `submission unknown: ${message}`,
  'job.absent': ({ jobName }) => `${jobName} never arrived`,
  'job.state': ({ to, word, reason }) => `job ${to} (${word}${reason === undefined ? '' : `: ${reason}`})`,
  'job.adopted': ({ jobId, insteadOf }) =>
    `job ${jobId} of an earlier submission runs in its directory, not ${insteadOf}`,
  'job.ended': ({ state, source }) => `job ended: ${state} (says the ${source})`,
};

function sentenceOf({ type, data }: EventRow): string {
  const sentence = sentences[type as EventType] as ((data: unknown) => string) | undefined;
  return sentence === undefined ? `${type} ${data}` : sentence(JSON.parse(data));
}

/** Lines of a stream that are shown of a process that failed. */
const tail = 20;

/** Why it ended badly: the exception, and the ends of what command and scheduler wrote to stderr. */
async function troubles({ store, repository }: Profile, row: ProcessRow): Promise<string[]> {
  const exception = fromJson<{ code: string; message: string; hint?: string }>(row.exception);
  const lines =
    exception === undefined
      ? []
      : [
          printable(`${exception.code}: ${exception.message}`),
          ...(exception.hint === undefined ? [] : [printable(exception.hint)]),
        ];
  if (row.ended_at === null || row.exit_status === 0) return lines;
  const { stderr = 'stderr.txt' } = fromJson<{ stderr?: string }>(row.inputs) ?? {};
  const files = await store
    .selectFrom('files')
    .selectAll()
    .where('process_id', '=', row.id)
    .where('role', '=', 'outputs')
    .where('path', 'in', [stderr, '.wherry/scheduler-stderr.txt'])
    .execute();
  for (const file of files) {
    if (file.size === 0 || file.size > 64 * 2 ** 20) continue;
    const text = (await repository.read(file.sha256)).toString('utf8').trimEnd();
    lines.push(paint.bold(`the end of ${printable(file.path)}:`));
    lines.push(
      ...text
        .split('\n')
        .slice(-tail)
        .map((line) => `  ${printableLines(line)}`),
    );
  }
  return lines;
}
