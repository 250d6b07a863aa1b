import { type Command, commandLine, InputError, type SchedulerDefinition } from '../../src/plugin.js';

type Query<Name extends 'list' | 'find' | 'kill'> = Parameters<SchedulerDefinition[Name]>[0];

/** Lines around the answers: each call of qstat with its exit code, and the end of all. */
export const marks = { begin: '# begin jobs', end: '# end jobs', done: '# end' } as const;

/** Times in UTC; and no word of ours is a pattern for files (ids of arrays have brackets). */
const neutral = ['export LC_ALL=C TZ=UTC0', 'set -f'];

/**
 * qstat about some jobs, ended ones included. A server that keeps no history refuses `-x` altogether; it is asked again
 * without.
 */
const ask = [
  'ask() {',
  `  echo '${marks.begin}'`,
  '  { words=$(qstat -x -f -F json "$@" 2>&1 >&3 </dev/null); code=$?; } 3>&1',
  '  case $words in',
  `    *'not configured to maintain job history'*) echo '${marks.begin}'; qstat -f -F json "$@" </dev/null; code=$? ;;`,
  `    ?*) printf '%s\\n' "$words" >&2 ;;`,
  '  esac',
  `  echo "${marks.end} $code"`,
  '}',
];

function script(...lines: readonly string[]): readonly [string, ...string[]] {
  return ['sh', '-c', [...neutral, ...lines].join('\n')];
}

/** qsub takes the time at which a job may begin in the computer's own zone, which only the computer knows. */
export const submit: SchedulerDefinition['submit'] = ({ name, script: path, beginTime }) => {
  const qsub = ['env', '-u', 'PBS_DPREFIX', 'qsub', '-N', name] as const;
  if (beginTime === undefined) return { words: [...qsub, path] };
  const seconds = String(Math.ceil(Date.parse(beginTime) / 1000));
  const refusal = 'echo "qsub: the date of this computer cannot tell when the job may begin" >&2';
  const convert = `time=$(date -d "@$1" +%Y%m%d%H%M.%S) || { ${refusal}; exit 1; }; shift; exec "$@" -a "$time" "$0"`;
  return { words: ['sh', '-c', convert, path, seconds, ...qsub] };
};

/**
 * By id: asking without ids would give every job of every user, with days of history. The ids go in by stdin, some
 * hundred per call.
 */
export function list({ ids, user, everything }: Pick<Query<'list'>, 'ids' | 'user' | 'everything'>): Command {
  const ours = 'while read -r ids; do ask $ids; done';
  const others = [
    `ids=$(${commandLine(['qselect', '-u', user])} 2>&1 </dev/null) || { printf '%s\\n' "$ids" >&2; exit 1; }`,
    '[ -z "$ids" ] || ask $ids',
  ];
  return { words: script(...ask, ours, ...(everything ? others : []), `echo '${marks.done}'`), stdin: idLines(ids) };
}

/** The ids of jobs with this name, running and ended, and then qstat about them. */
export function find({ user, name }: Pick<Query<'find'>, 'user' | 'name'>): Command {
  if (!/^[\w.-]+$/.test(name)) throw new InputError(`${JSON.stringify(name)} is no name of a job of ours`);
  const select = (...options: readonly string[]) => commandLine(['qselect', ...options, '-u', user, '-N', name]);
  return {
    words: script(
      ...ask,
      `ids=$(${select('-x')} 2>&1 </dev/null); code=$?`,
      `case $ids in *'not configured to maintain job history'*) ids=$(${select()} 2>&1 </dev/null); code=$? ;; esac`,
      `[ $code = 0 ] || { printf '%s\\n' "$ids" >&2; exit $code; }`,
      '[ -z "$ids" ] || ask $ids',
      `echo '${marks.done}'`,
    ),
  };
}

/** One bad id must not keep the others alive, so every chunk is tried; a silent server is asked only once. */
export function kill({ ids }: Pick<Query<'kill'>, 'ids'>): Command {
  return {
    words: script(
      'worst=0',
      'while read -r ids; do',
      '  qdel $ids </dev/null',
      '  code=$?',
      '  [ $code = 0 ] || worst=$code',
      '  case $code in 162|255) exit $code;; esac',
      'done',
      `echo '${marks.done}'`,
      'exit $worst',
    ),
    stdin: idLines(ids),
  };
}

const chunk = 200;

function idLines(ids: readonly string[]): string {
  const bad = ids.find((id) => !/^\d+(\[\d*\])?(\.[\w.-]+)?$/.test(id) || id.endsWith('\n'));
  if (bad !== undefined) throw new InputError(`${JSON.stringify(bad)} is no job id of PBS`);
  const lines: string[] = [];
  for (let start = 0; start < ids.length; start += chunk) lines.push(`${ids.slice(start, start + chunk).join(' ')}\n`);
  return lines.join('');
}
