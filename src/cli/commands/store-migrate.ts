import { migrateProfile } from '../../engine/migrate-profile.js';
import type { CopyProgress } from '../../store/copy-store.js';
import { defineCommand, json, text } from '../command.js';
import { interruption } from '../interruption.js';
import { counted } from '../process-text.js';
import { print, printable, printJson, say } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: {},
  options: { to: { ...text('URL of an empty PostgreSQL database'), demandOption: true }, json },
  examples: [['$0 --to postgres://me@db/wherry', 'move processes, events and computers of this profile there']],
  run: (given) =>
    withProfile(given, async (profile) => {
      using interrupted = interruption();
      const { signal } = interrupted;
      const moved = await migrateProfile(profile, given.to, { signal, onProgress: teller() });
      if (given.json) printJson(moved);
      else {
        print(`${counted(moved.rows.processes ?? 0, 'process', 'processes')} moved to ${printable(moved.store)}`);
        say(`the old store lies in ${printable(moved.old)}; remove it when you like`);
      }
      return 0;
    }),
});

/** Says how far it is, ten times at most. */
function teller(): (progress: CopyProgress) => void {
  let told = 0;
  return ({ copied, total, table }) => {
    const tenth = Math.floor((10 * copied) / total);
    if (tenth <= told) return;
    told = tenth;
    say(`${copied} of ${total} rows (${table})`);
  };
}
