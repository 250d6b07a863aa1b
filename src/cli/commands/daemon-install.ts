import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { locateProfile } from '../../config/home.js';
import { unitFile } from '../../daemon/unit-file.js';
import { profileSettings } from '../../engine/profile.js';
import { defineCommand, flag, text } from '../command.js';
import { workerCount } from '../daemon-text.js';
import { print, printable, printRaw, say } from '../terminal.js';

export const command = defineCommand({
  positionals: {},
  options: {
    workers: text('how many workers (default: 1)'),
    print: flag('print the unit and write nothing'),
  },
  examples: [['$0', 'write a unit of your systemd, and print the commands that turn it on']],
  run: async (given) => {
    const location = locateProfile(given, process.env);
    const { daemon } = await profileSettings(location);
    const workers = workerCount(given.workers ?? '1', 1);
    const unit = unitFile(location, workers, process.env, daemon?.stopTimeout);
    if (given.print) {
      await printRaw(unit.text);
      return 0;
    }
    await mkdir(dirname(unit.path), { recursive: true });
    await writeFile(unit.path, unit.text);
    say(`written: ${printable(unit.path)}; turn it on with:`);
    print('systemctl --user daemon-reload');
    print(`systemctl --user enable --now ${unit.name}`);
    say('so that it runs while you are logged out: loginctl enable-linger');
    return 0;
  },
});
