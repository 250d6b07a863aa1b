import { locateProfile } from '../../config/home.js';
import { daemonStatus, notRunning } from '../../daemon/client.js';
import { messageOf } from '../../errors.js';
import { defineCommand, json } from '../command.js';
import { daemonLine, daemonTroubles, warnOfDifference, workerTable } from '../daemon-text.js';
import { clock } from '../process-text.js';
import { paint, print, printable, printJson } from '../terminal.js';

export const command = defineCommand({
  positionals: {},
  options: { json },
  examples: [['$0', 'how the daemon and its workers are; exit code 1 when none runs']],
  run: async (given) => {
    const location = locateProfile(given, process.env);
    const status = await daemonStatus(location).catch((error: unknown) => {
      if (given.json) printJson({ running: true, answers: false, trouble: messageOf(error) });
      throw error;
    });
    if (given.json) printJson(status === undefined ? { running: false } : { running: true, answers: true, ...status });
    if (status === undefined) throw notRunning();
    warnOfDifference(status);
    if (given.json) return 0;
    print(`${paint.bold('daemon')}   ${daemonLine(status)}`);
    print(`${paint.bold('since')}    ${clock(status.startedAt)}, version ${status.version}`);
    print(`${paint.bold('log')}      ${printable(status.log)}`);
    for (const trouble of daemonTroubles(status)) print(`${paint.bold('trouble')}  ${paint.yellow(trouble)}`);
    if (status.workers.length > 0) print(workerTable(status.workers));
    return 0;
  },
});
