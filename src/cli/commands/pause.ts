import { hurryDrivers } from '../../engine/control/hurry.js';
import { pause } from '../../engine/intents.js';
import { allFlag, chosenPositionals, chosenProcesses } from '../chosen-processes.js';
import { defineCommand, text } from '../command.js';
import { nameOf } from '../process-text.js';
import { print, say } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: chosenPositionals,
  options: { all: allFlag, reason: text('why, for those who look') },
  examples: [
    ['$0 3', 'keep process 3 from its next step; a job that runs goes on'],
    ['$0 --all --reason "maintenance"', 'everything'],
  ],
  run: (given) =>
    withProfile(given, async (profile) => {
      const { store } = profile;
      for (const row of await chosenProcesses(store, given)) {
        if (await pause(store, row, given.reason ?? 'paused by its user')) print(`${nameOf(row)} is paused`);
        else say(`${nameOf(row)} has ended already`);
      }
      await hurryDrivers(profile);
      return 0;
    }),
});
