import { endsOf, News } from '../../engine/control/news.js';
import type { ProcessSummary } from '../../engine/views.js';
import { parseDuration } from '../../plugin/units.js';
import { defineCommand, idPositionals, json, text } from '../command.js';
import { findProcesses } from '../find-process.js';
import { obstacles, readSummaries, sayIfUndriven, watchUntil } from '../follow.js';
import { interruption } from '../interruption.js';
import { nameOf, succeeded } from '../process-text.js';
import { startProgress } from '../progress.js';
import { printable, printJson, say } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: idPositionals,
  options: { timeout: text('give up after so long, such as 30s or 2h'), json },
  examples: [
    ['$0 3', 'until process 3 has ended; exit code 0 when it succeeded'],
    ['$0 3 4 5 --timeout 1h', 'at most an hour'],
  ],
  run: (given) =>
    withProfile(given, async (profile) => {
      const { store } = profile;
      const timeout = given.timeout === undefined ? undefined : parseDuration(given.timeout) * 1000;
      const ids = (await findProcesses(store, given.ids)).map(({ id }) => id);
      using interrupted = interruption();
      const signals = [interrupted.signal, ...(timeout === undefined ? [] : [AbortSignal.timeout(timeout)])];
      const said = new Set<string>();
      const stuck = new Set<number>();
      let summaries: ProcessSummary[] = [];
      {
        using progress = startProgress();
        await using news = new News(profile, endsOf(ids));
        const look = async () => {
          summaries = await readSummaries(store, ids);
          progress.show(summaries);
          await sayIfUndriven(profile, summaries, said, progress.note);
          for (const { reason, hint, ...process } of await obstacles(store, summaries)) {
            if (stuck.has(process.id)) continue;
            stuck.add(process.id);
            progress.note(`${nameOf(process)} ${printable(reason)} (${printable(hint)})`);
          }
          return summaries.every(({ endedAt }) => endedAt !== null);
        };
        await watchUntil(AbortSignal.any(signals), look, news);
      }
      if (given.json) printJson(summaries);
      const left = summaries.filter(({ endedAt }) => endedAt === null);
      for (const summary of left) say(`${nameOf(summary)} has not ended; see: wherry explain ${summary.id}`);
      return summaries.every(succeeded) ? 0 : 1;
    }),
});
