import yargs from 'yargs';
import { defineCommand } from '../command.js';

export const command = defineCommand({
  positionals: {},
  options: {},
  examples: [['$0 >> ~/.bashrc', 'complete commands, options, ids and computers in bash (or ~/.zshrc in zsh)']],
  run: async () => {
    yargs().scriptName('wherry').detectLocale(false).completion('completion').showCompletionScript();
    return 0;
  },
});
