import path from 'node:path';
import { writeCode } from '../../config/code-file.js';
import { getCode } from '../../engine/codes.js';
import { copyInto, outgoing } from '../../engine/process-files.js';
import { defineCommand, text } from '../command.js';
import { counted } from '../process-text.js';
import { printable, printRaw, say } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: { name: { type: 'string', demandOption: true, describe: 'the code' } },
  options: { folder: text('write what it sends along into this new folder, and name it in the YAML') },
  examples: [
    ['$0 pw@daint > pw.yaml', 'a file that `wherry code add --file` reads'],
    ['$0 count --folder ./count > count.yaml', 'a portable code with its files'],
  ],
  run: (given) =>
    withProfile(given, async ({ store, repository }) => {
      const { config, files } = await getCode(store, given.name);
      const folder = given.folder === undefined ? undefined : path.resolve(given.folder);
      if (folder !== undefined) {
        await copyInto(
          folder,
          files.map((file) => outgoing(repository, file)),
          false,
        );
        say(`${counted(files.length, 'file')} in ${printable(folder)}`);
      }
      await printRaw(writeCode(folder === undefined ? config : { ...config, folder }));
      return 0;
    }),
});
