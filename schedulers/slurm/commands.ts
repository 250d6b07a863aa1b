import { type Command, commandLine, InputError, type SchedulerDefinition } from '../../src/plugin.js';

type Query<Name extends 'list' | 'find' | 'kill'> = Parameters<SchedulerDefinition[Name]>[0];

/** Lines around an answer: without its last line an answer was cut off. */
export const marks = {
  begin: (part: string) => `# begin ${part}`,
  end: (part: string) => `# end ${part}`,
} as const;

/**
 * Variables by which users preset options (squeue(1), sacct(1), "ENVIRONMENT VARIABLES"): a filter left in a profile
 * would hide jobs. Times come in UTC, whatever zone and format the computer has.
 */
const neutral = [
  'unset SQUEUE_ACCOUNT SQUEUE_FEDERATION SQUEUE_FORMAT2 SQUEUE_LICENSES SQUEUE_NAMES SQUEUE_PARTITION SQUEUE_QOS',
  'unset SQUEUE_SIBLING SQUEUE_SORT SACCT_FEDERATION SLURM_BITSTR_LEN',
  'export LC_ALL=C TZ=UTC0 SLURM_TIME_FORMAT=standard',
];

/** Fields of squeue; the name comes last because it may hold anything. */
export const queueFields = ['%i', '%T', '%u', '%P', '%V', '%S', '%e', '%M', '%N', '%r', '%j'] as const;

/** Fields of sacct, all of them known to every release since 17.11; the name comes last. */
export const accountingFields = [
  'JobID',
  'State',
  'User',
  'Partition',
  'Submit',
  'Start',
  'End',
  'ElapsedRaw',
  'NodeList',
  'ExitCode',
  'DerivedExitCode',
  'JobName',
] as const;

const queueWords = (user: string) => [
  'squeue',
  '--noheader',
  '--all',
  '--array',
  '--states=all',
  `--user=${user}`,
  `--format=${queueFields.join('|')}`,
];

const accountingWords = (since: number) => [
  'sacct',
  '--noheader',
  '--parsable2',
  '--allocations',
  `--starttime=${new Date(Math.max(since, 0)).toISOString().slice(0, 19)}`,
  `--format=${accountingFields.join(',')}`,
];

/** Shell text whose last line is printed only if all of `command` worked. */
function answer(part: string, command: string): string {
  return `echo '${marks.begin(part)}' && ${command} && echo '${marks.end(part)}'`;
}

function script(...lines: readonly string[]): readonly [string, ...string[]] {
  return ['sh', '-c', [...neutral, ...lines].join('\n')];
}

/**
 * The name is given here too, for a variable of the user's profile would override the directive; such a variable can
 * also make sbatch wait for the job or make an array of it. LC_ALL is left alone: the job inherits it.
 */
export const submit: SchedulerDefinition['submit'] = ({ name, script: path }) => {
  const unset = ['SBATCH_WAIT', 'SBATCH_ARRAY_INX', 'SBATCH_OUTPUT', 'SBATCH_ERROR'].flatMap((key) => ['-u', key]);
  return { words: ['env', ...unset, 'sbatch', '--parsable', `--job-name=${name}`, path] };
};

/** All jobs of the user in one question: the ids do not matter. */
export function list({ user }: Pick<Query<'list'>, 'user'>): Command {
  return { words: script(answer('queue', commandLine(queueWords(user)))) };
}

/** Both sources in one command; the second is asked only if the first answered. */
export function find({ user, name, since }: Pick<Query<'find'>, 'user' | 'name' | 'since'>): Command {
  if (!/^[\w.-]+$/.test(name)) throw new InputError(`${JSON.stringify(name)} is no name of a job of ours`);
  const queue = commandLine([...queueWords(user), `--name=${name}`]);
  const accounting = commandLine([...accountingWords(since), `--user=${user}`, `--name=${name}`]);
  return { words: script(`${answer('queue', queue)} && ${answer('accounting', accounting)}`) };
}

/** Ids go in by stdin, some hundred per call of sacct, so that no command line grows too long. */
export function accounting({ ids, since }: { readonly ids: readonly string[]; readonly since: number }): Command {
  const ask = `${commandLine(accountingWords(since))} --jobs="$ids" </dev/null || exit`;
  const all = `while read -r ids; do ${ask}; done`;
  return { words: script(answer('accounting', all)), stdin: idLines(ids, ',') };
}

/** One bad id must not keep the others alive, so every chunk is tried; a silent controller is asked only once. */
export function kill({ ids }: Pick<Query<'kill'>, 'ids'>): Command {
  return {
    words: script(
      'worst=0',
      'while read -r ids; do',
      '  scancel $ids </dev/null',
      '  code=$?',
      '  [ $code = 0 ] || worst=$code',
      '  case $code in 8|140) exit $code;; esac',
      'done',
      `echo '${marks.end('kill')}'`,
      'exit $worst',
    ),
    stdin: idLines(ids, ' '),
  };
}

const chunk = 400;

function idLines(ids: readonly string[], separator: string): string {
  const bad = ids.find((id) => !/^\d+([_+]\d+)?$/.test(id));
  if (bad !== undefined) throw new InputError(`${JSON.stringify(bad)} is no job id of Slurm`);
  const lines: string[] = [];
  for (let start = 0; start < ids.length; start += chunk) {
    lines.push(`${ids.slice(start, start + chunk).join(separator)}\n`);
  }
  return lines.join('');
}
