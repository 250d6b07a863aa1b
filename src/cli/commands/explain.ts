import { type Explanation, explain } from '../../engine/explain.js';
import { defineCommand, idPositional, json } from '../command.js';
import { daemonTakesUp } from '../daemon-text.js';
import { findProcess } from '../find-process.js';
import { clock, nameOf } from '../process-text.js';
import { paint, print, printable, printJson } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: idPositional,
  options: { json },
  examples: [['$0 3', 'what process 3 waits for, since when, and what comes next']],
  run: (given) =>
    withProfile(given, async ({ store, location }) => {
      const row = await findProcess(store, given.id);
      const explanation = await explain(store, row, Date.now(), await daemonTakesUp(location));
      if (given.json) printJson(explanation);
      else print([`${nameOf(row)} is ${explanation.state}`, ...describe(explanation)].join('\n'));
      return 0;
    }),
});

function describe({ waitingFor, since, next, nextAt, driver, details }: Explanation): string[] {
  const line = (title: string, value: string | null) =>
    value === null ? [] : [`${paint.bold(`${title}:`.padEnd(10))} ${printable(value)}`];
  return [
    ...line('waits for', waitingFor),
    ...line('since', since === null ? null : clock(since)),
    ...line('next', next),
    ...line('when', nextAt === null ? null : whenText(nextAt)),
    ...line('driver', driver === null ? null : `pid ${driver.pid} on ${driver.host}`),
    ...details.map((detail) => `- ${printable(detail)}`),
  ];
}

function whenText(iso: string): string {
  return Date.parse(iso) <= Date.now() + 1_000 ? 'now' : clock(iso);
}
