import { News } from '../../engine/control/news.js';
import type { Profile } from '../../engine/profile.js';
import { type ComputerNames, computerNames, isoTime } from '../../engine/views.js';
import { eventsAfter } from '../../store/events.js';
import type { EventRow, ProcessRow } from '../../store/tables.js';
import { defineCommand, json } from '../command.js';
import { eventText } from '../event-text.js';
import { findProcess } from '../find-process.js';
import { interruption } from '../interruption.js';
import { clock } from '../process-text.js';
import { paint, print, printable } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: {
    id: { type: 'string', describe: 'number, uuid or the beginning of a uuid; everything when not given' },
  },
  options: { json },
  examples: [
    ['$0', 'everything that happens, until Ctrl-C'],
    ['$0 3', 'what has happened to process 3 and what happens until its end'],
    ['$0 --json | jq .type', 'one JSON object a line'],
  ],
  run: (given) =>
    withProfile(given, async (profile) => {
      const row = given.id === undefined ? undefined : await findProcess(profile.store, given.id);
      using interrupted = interruption();
      await follow(profile, row, interrupted.signal, given.json);
      return 0;
    }),
});

/** Milliseconds until the store is looked at though nobody has told anything, and events that are read at once. */
const bounds = { look: 1_000, page: 500 } as const;

/** Prints events as they come, in their order and none twice: they are read from the store, broadcasts only hurry. */
async function follow(
  profile: Profile,
  row: ProcessRow | undefined,
  signal: AbortSignal,
  asJson: boolean,
): Promise<void> {
  const { store } = profile;
  await using news = new News(profile, [row === undefined ? { subject: '#' } : { sender: `process.${row.id}` }]);
  const computers = await computerNames(store);
  let position = row === undefined ? await newestEvent(profile) : 0;
  while (!signal.aborted) {
    // Read before the events: what is written after the end comes with the next look.
    const hasEnded = row !== undefined && (await endOf(profile, row.id));
    const events = await eventsAfter(store, position, bounds.page, row?.id);
    for (const event of events) print(asJson ? jsonOf(event) : lineOf(event, computers, row === undefined));
    position = events.at(-1)?.id ?? position;
    if (events.length === bounds.page) continue;
    if (hasEnded) return;
    await news.wait(bounds.look, signal);
  }
}

async function newestEvent({ store }: Profile): Promise<number> {
  const newest = await store
    .selectFrom('events')
    .select((row) => row.fn.max('id').as('id'))
    .executeTakeFirst();
  return Number(newest?.id ?? 0);
}

async function endOf({ store }: Profile, id: number): Promise<boolean> {
  const row = await store.selectFrom('processes').select('ended_at').where('id', '=', id).executeTakeFirst();
  return row === undefined || row.ended_at !== null;
}

function jsonOf({ id, at, type, process_id, computer_id, data }: EventRow): string {
  return JSON.stringify({
    ...{ id, at: isoTime(at), type, process: process_id, computer: computer_id },
    data: JSON.parse(data) as unknown,
  });
}

function lineOf(event: EventRow, computers: ComputerNames, withName: boolean): string {
  const { process_id: process, computer_id: computer } = event;
  const name =
    process === null ? (computers.get(computer ?? 0)?.label ?? `computer ${computer}`) : `process ${process}`;
  return `${paint.dim(clock(isoTime(event.at)))}  ${withName ? `${printable(name).padEnd(14)}  ` : ''}${eventText(event)}`;
}
