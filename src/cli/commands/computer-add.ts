import { type ComputerConfig, computerSchema } from '../../config/computer.js';
import { readComputerFile } from '../../config/computer-file.js';
import { listPlugins } from '../../config/plugins.js';
import { validate } from '../../config/validate.js';
import { addComputer } from '../../engine/computers.js';
import { boundToHost } from '../../engine/localhost.js';
import { defineCommand, text } from '../command.js';
import { anyComputerOption, checkNewComputer, computerOf, computerOptions } from '../computer-arguments.js';
import { usageError } from '../errors.js';
import { ask, canAsk } from '../prompts.js';
import { print, say } from '../terminal.js';
import { withProfile } from '../with-profile.js';

const options = {
  label: text('its name'),
  file: text('a computer file (YAML or JSON), - for stdin'),
  'from-ssh-config': text('a Host of ~/.ssh/config, from which all else is taken'),
  ...computerOptions,
};

export const command = defineCommand({
  positionals: { name: { type: 'string', describe: 'its label' } },
  options,
  examples: [
    ['$0 --file daint.yaml', 'as a file describes it'],
    ['$0 daint --from-ssh-config daint --scheduler slurm --work-directory /scratch/{user}/wherry', 'by ssh'],
    ['$0', 'by questions'],
  ],
  run: (given) =>
    withProfile(given, async ({ store, settings }) => {
      const config = given.file === undefined ? await fromOptions(given) : await fromFile(given, given.file);
      const row = await addComputer(store, boundToHost(config, settings));
      print(row.label);
      say(`try it with: wherry computer test ${row.label}`);
      return 0;
    }),
});

type Given = Parameters<typeof computerOf>[0] & {
  readonly name?: string | undefined;
  readonly label?: string | undefined;
  readonly 'from-ssh-config'?: string | undefined;
};

async function fromFile(given: Given, file: string): Promise<ComputerConfig> {
  if (anyComputerOption(given) || given['from-ssh-config'] !== undefined) {
    throw usageError('--file stands alone', 'write everything into the file; only --label may be given with it');
  }
  const { config, origin } = await readComputerFile(file);
  await checkNewComputer(config, origin);
  const label = given.label ?? given.name;
  if (label === undefined) return config;
  return { ...config, label: validate({ label }, computerSchema.pick({ label: true }), { source: '' }).label };
}

async function fromOptions(given: Given): Promise<ComputerConfig> {
  const host = given['from-ssh-config'];
  const label = given.label ?? given.name ?? host;
  const base: Record<string, unknown> = {
    ...(label === undefined ? {} : { label }),
    ...(host === undefined ? {} : { transport: 'ssh', connection: { host } }),
    ...(given.host === undefined ? {} : { transport: 'ssh' }),
  };
  const asked = computerOf(given, base);
  const config = validate(canAsk() ? await completed(asked) : asked, computerSchema, { source: '' });
  await checkNewComputer(config);
  return config;
}

/** Asks for what is missing. */
async function completed(asked: Record<string, unknown>): Promise<Record<string, unknown>> {
  const names = (kind: string) =>
    listPlugins()
      .filter((plugin) => plugin.kind === kind)
      .map((plugin) => plugin.name)
      .join(', ');
  const value = { ...asked };
  value.label ??= await ask('Label');
  value.transport ??= await ask(`Transport (${names('transport')})`, 'ssh');
  const { host } = (value.connection ?? {}) as { host?: unknown };
  if (value.transport === 'ssh' && host === undefined) {
    value.connection = {
      ...(value.connection ?? {}),
      host: await ask('Host (name, address or Host of ~/.ssh/config)'),
    };
  }
  value.scheduler ??= await ask(`Scheduler (${names('scheduler')})`, value.transport === 'local' ? 'direct' : 'slurm');
  value.workDirectory ??= await ask('Work directory ({user} and {home} are filled in)', '{home}/wherry');
  return value;
}
