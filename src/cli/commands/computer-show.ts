import { writeComputer } from '../../config/computer-file.js';
import { computerView } from '../../engine/computer-view.js';
import { getComputer } from '../../engine/computers.js';
import { defineCommand, json } from '../command.js';
import { clock } from '../process-text.js';
import { paint, print, printable, printableLines, printJson } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: { label: { type: 'string', demandOption: true, describe: 'the computer' } },
  options: { json },
  examples: [['$0 daint', 'its configuration and its state']],
  run: (given) =>
    withProfile(given, async ({ store }) => {
      const view = await computerView(store, await getComputer(store, given.label));
      if (given.json) {
        printJson(view);
        return 0;
      }
      print(printableLines(writeComputer(view.config)).trimEnd());
      const { hold, openAfter, driver, living, drainingSince, throttle, foreignJobs } = view;
      print(`# processes that have not ended: ${living}`);
      if (driver !== null) print(`# driven by pid ${driver.pid} on ${driver.host}`);
      if (foreignJobs !== null) print(`# your other jobs there: ${foreignJobs}`);
      if (throttle !== null && drainingSince === null)
        print(`# since ${clock(throttle.since)} the next job waits for ${printable(throttle.reason)}`);
      if (drainingSince !== null) print(paint.yellow(`# drained since ${clock(drainingSince)}: it takes no new jobs`));
      if (openAfter !== null) print(`# could not be reached ${view.openFailures} times; next try ${clock(openAfter)}`);
      if (hold !== null) print(paint.yellow(`# held since ${clock(hold.since)}: ${printable(hold.message)}`));
      return 0;
    }),
});
