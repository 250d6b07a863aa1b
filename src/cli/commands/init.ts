import { resolve } from 'node:path';
import { initProfile } from '../../engine/init-profile.js';
import { defineCommand, json, text } from '../command.js';
import { print, printable, printJson, say } from '../terminal.js';

export const command = defineCommand({
  positionals: {},
  options: {
    store: text('URL of a PostgreSQL database (default: SQLite in the home)'),
    broker: text('URL of RabbitMQ (default: the programs of this host speak to each other directly)'),
    repository: text('directory for files that all hosts of the profile share (default: in the home)'),
    json,
  },
  examples: [
    ['$0', 'make the profile, with nothing to be installed'],
    [
      '$0 --store postgres://me@db/wherry --broker amqp://me@mq/wherry --repository /shared/wherry',
      'for several hosts',
    ],
  ],
  async run(given) {
    const { store, broker } = given;
    const repository = given.repository === undefined ? undefined : resolve(given.repository);
    await using made = await initProfile({ home: given.home, profile: given.profile }, { store, broker, repository });
    const { location, settings } = made.profile;
    if (made.secretsFile !== undefined) {
      say(`the password of the URL stands in ${printable(made.secretsFile)}, which only you can read`);
    }
    const shown = {
      profile: location.profile,
      directory: location.directory,
      store: settings.store ?? location.storeFile,
      broker: settings.broker ?? null,
      repository: location.repositoryDirectory,
    };
    if (given.json) printJson(shown);
    else
      for (const [name, value] of Object.entries(shown)) print(`${name.padEnd(11)}${printable(value ?? 'embedded')}`);
    return 0;
  },
});
