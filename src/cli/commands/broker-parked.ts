import type { ParkedTask } from '../../broker/communicator.js';
import { processQueue } from '../../engine/control/addresses.js';
import { openCommunicator } from '../../engine/control/open-communicator.js';
import { isoTime } from '../../engine/views.js';
import { defineCommand, json } from '../command.js';
import { clock, counted } from '../process-text.js';
import { formatTable } from '../table.js';
import { paint, print, printable, printJson, say, terminalWidth } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: {},
  options: { json },
  examples: [['$0', 'tasks that could not be done, and why']],
  run: (given) =>
    withProfile(given, async (profile) => {
      await using communicator = await openCommunicator(profile);
      const tasks = await communicator.parkedTasks(processQueue, mostShown);
      if (given.json) printJson(tasks.map(viewOf));
      else if (tasks.length === 0) say('no task is parked');
      else {
        print(tableOf(tasks));
        say(`${counted(tasks.length, 'task')}; again: wherry broker resend ID, away: wherry broker drop ID`);
      }
      return 0;
    }),
});

const mostShown = 1_000;

function viewOf({ sentAt, parkedAt, ...task }: ParkedTask) {
  return { ...task, sentAt: isoTime(sentAt), parkedAt: isoTime(parkedAt) };
}

function tableOf(tasks: readonly ParkedTask[]): string {
  const lines = formatTable<ParkedTask>(
    [
      { title: 'ID', value: ({ id }) => printable(id) },
      { title: 'PARKED', value: ({ parkedAt }) => clock(isoTime(parkedAt)) },
      { title: 'ATTEMPTS', align: 'right', value: ({ attempts }) => String(attempts) },
      { title: 'REASON', value: ({ reason }) => printable(reason) },
      { title: 'TASK', value: ({ body }) => printable(JSON.stringify(body)) },
    ],
    tasks,
    { width: terminalWidth(process.stdout), header: paint.bold },
  );
  return lines.join('\n');
}
