import type { Profile } from '../../engine/profile.js';
import { isoTime } from '../../engine/views.js';
import { placeInStack } from '../../process/modules/place-in-stack.js';
import { eventsOf } from '../../store/events.js';
import { fromJson } from '../../store/store.js';
import type { ProcessRow } from '../../store/tables.js';
import { defineCommand, idPositional, json } from '../command.js';
import { eventText } from '../event-text.js';
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
      for (const event of events) print(`${clock(isoTime(event.at))}  ${eventText(event)}`);
      for (const line of await troubles(profile, row)) print(line);
      return 0;
    }),
});

/** Lines of a stream that are shown of a process that failed. */
const tail = 20;

/** Why it ended badly: the exception, and the ends of what command and scheduler wrote to stderr. */
async function troubles({ store, repository }: Profile, row: ProcessRow): Promise<string[]> {
  const exception = fromJson<{ code: string; message: string; hint?: string; stack?: string }>(row.exception);
  const place = placeInStack(exception?.stack ?? '');
  const lines =
    exception === undefined
      ? []
      : [
          printable(`${exception.code}: ${exception.message}${place === undefined ? '' : ` (at ${place})`}`),
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
