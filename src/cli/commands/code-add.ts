import { type CodeConfig, codeSchema } from '../../config/code.js';
import { readCodeFile } from '../../config/code-file.js';
import type { Origin } from '../../config/issues.js';
import { validate } from '../../config/validate.js';
import { addCode } from '../../engine/codes.js';
import { anyCodeOption, type CodeArguments, codeOf, codeOptions, partsOf } from '../code-arguments.js';
import { defineCommand, flag, text } from '../command.js';
import { usageError } from '../errors.js';
import { print, say } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: { name: { type: 'string', describe: 'its label, or LABEL@COMPUTER' } },
  options: {
    file: text('a code file (YAML or JSON), - for stdin'),
    ...codeOptions,
    replace: flag('put it in the place of one with this name'),
  },
  examples: [
    ['$0 pw@daint --executable /apps/qe/bin/pw.x --mpi', 'what is installed on a computer'],
    ['$0 count --folder ./count --executable count.sh', 'what is sent with each job'],
    [
      '$0 pw-image@daint --image /images/qe.sif --engine "singularity exec {image}" --executable pw.x',
      'in a container',
    ],
    ['$0 --file pw.yaml', 'as a file describes it'],
  ],
  run: (given) =>
    withProfile(given, async (profile) => {
      const { config, origin } =
        given.file === undefined
          ? { config: codeOf(given, given.name), origin: { source: '' } }
          : await fromFile(given, given.file, given.name);
      const { name } = await addCode(profile, config, { replace: given.replace, origin });
      print(name);
      say(`try it with: wherry code test ${name}`);
      return 0;
    }),
});

async function fromFile(
  given: CodeArguments,
  file: string,
  name: string | undefined,
): Promise<{ config: CodeConfig; origin: Origin }> {
  if (anyCodeOption(given)) throw usageError('--file stands alone', 'write everything into the file');
  const { config, origin } = await readCodeFile(file);
  const [label = config.label, computer = config.computer] = partsOf(name);
  const asked = { ...config, label, ...(computer === undefined ? {} : { computer }) };
  return { config: name === undefined ? config : validate(asked, codeSchema, { source: '' }), origin };
}
