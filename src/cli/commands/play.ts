import { hurryDrivers } from '../../engine/control/hurry.js';
import { play } from '../../engine/intents.js';
import { allFlag, chosenPositionals, chosenProcesses } from '../chosen-processes.js';
import { defineCommand } from '../command.js';
import { readSummaries, sayIfUndriven } from '../follow.js';
import { nameOf } from '../process-text.js';
import { print, say } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: chosenPositionals,
  options: { all: allFlag },
  examples: [
    ['$0 3', 'let process 3 go on, with a full count of attempts'],
    ['$0 --all', 'every paused process'],
  ],
  run: (given) =>
    withProfile(given, async (profile) => {
      const { store } = profile;
      const rows = (await chosenProcesses(store, given)).filter((row) => !given.all || row.paused !== 0);
      const played: number[] = [];
      for (const row of rows) {
        if (!(await play(store, row))) {
          say(`${nameOf(row)} has ended already`);
          continue;
        }
        played.push(row.id);
        print(`${nameOf(row)} goes on`);
      }
      await hurryDrivers(profile);
      if (given.all && rows.length === 0) say('no process is paused');
      await sayIfUndriven(profile, await readSummaries(store, played), new Set(), say);
      return 0;
    }),
});
