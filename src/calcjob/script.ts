import type { ComputerConfig } from '../config/computer.js';
import type { Job } from '../config/job.js';
import type { SchedulerDefinition } from '../plugin/scheduler.js';
import { quote, quoteWithVariables } from '../plugin/shell.js';
import { ownFiles } from './context.js';
import { codesOf, type Program, programLine, programsOf, redirections } from './programs.js';

export interface ScriptRequest {
  readonly job: Job;
  readonly computer: ComputerConfig;
  readonly scheduler: SchedulerDefinition;
  /** The job's name on the scheduler; carries the nonce. */
  readonly jobName: string;
  /** Absolute directory of the job on the computer. */
  readonly directory: string;
}

/**
 * The script that the scheduler runs: shebang, header, claim, environment, prepend, programs, append, exit file. What
 * comes before the programs goes from the computer over the codes to the job, and behind them the other way.
 *
 * Its first act claims the directory by making a link that names the scheduler's job id, which is atomic: a job that
 * was submitted twice runs once, and a job that the scheduler itself runs again finds its own claim. Its last act
 * writes the command's exit code to a file, whatever ended it short of KILL.
 */
export function renderScript(request: ScriptRequest): string {
  const { job, computer, scheduler, directory, jobName } = request;
  const header = scheduler.header({
    name: jobName,
    resources: job.resources,
    stdout: ownFiles.schedulerStdout,
    stderr: ownFiles.schedulerStderr,
    queue: job.queue,
    account: job.account,
    qos: job.qos,
    constraint: job.constraint,
    headerLines: job.headerLines,
    rerunnable: job.rerunnable,
    mail: job.mail,
    hold: job.hold,
    beginTime: job.beginTime,
    exclusive: job.exclusive,
    importEnvironment: job.importEnvironment,
  });
  const programs = programsOf(job);
  const codes = codesOf(programs);
  const written = job.environmentDoubleQuotes ? quoteWithVariables : quote;
  const sections = [
    computer.shebang,
    ...header,
    '',
    `cd -- ${quote(directory)} || exit 1`,
    ...claim(scheduler.jobIdVariable),
    ...exitFile(),
    ...Object.entries(job.environment).map(([name, value]) => `export ${name}=${written(value)}`),
    computer.prepend,
    ...codes.map(({ prepend }) => prepend),
    job.prepend,
    ...runLines(programs, job, computer),
    job.append,
    ...codes.map(({ append }) => append).reverse(),
    computer.append,
    'exit "$wherry_status"',
  ];
  return `${sections.filter((section) => section !== '').join('\n')}\n`;
}

function claim(jobIdVariable: string): string[] {
  const id = `"\${${jobIdVariable}:-unknown}"`;
  return [
    `if ! ln -s ${id} ${ownFiles.claim} 2>/dev/null && [ "$(readlink ${ownFiles.claim})" != ${id} ]; then`,
    '  echo "This directory belongs to another job: nothing was run." >&2',
    '  exit 0',
    'fi',
  ];
}

/** Signals that end a shell; without a trap it would call its exit trap with the status of the last command, often 0. */
const endingSignals = { HUP: 1, INT: 2, QUIT: 3, USR1: 10, USR2: 12, ALRM: 14, TERM: 15, XCPU: 24, XFSZ: 25 } as const;

function exitFile(): string[] {
  return [
    `[ ! -e ${ownFiles.exit} ] || rm -f ${ownFiles.exit}`,
    'wherry_status=',
    'wherry_exit() {',
    '  wherry_code=$?',
    // One write of one line: a reader that sees less than the line takes it for nothing.
    `  printf '%s\\n' "\${wherry_status:-$wherry_code}" > ${ownFiles.exit}`,
    '}',
    'trap wherry_exit EXIT',
    ...Object.entries(endingSignals).map(([name, number]) => `trap 'exit ${128 + number}' ${name}`),
  ];
}

/** Runs the programs and leaves the exit code of the first that failed, or 0, in `wherry_status`. */
function runLines(programs: readonly Program[], job: Job, computer: ComputerConfig): string[] {
  const lines = programs.map((program) => programLine(program, job, computer));
  const streams = redirections(job).join(' ');
  if (job.codes === undefined) return [`${lines.join('')} ${streams}`, 'wherry_status=$?'];
  const inside = job.codesRun === 'parallel' ? allAtOnce(lines) : oneAfterAnother(lines);
  return ['{', ...inside.map((line) => `  ${line}`), `} ${streams}`, 'wherry_status=$?'];
}

function oneAfterAnother(lines: readonly string[]): string[] {
  return lines.map((line, index) => (index < lines.length - 1 ? `${line} &&` : line));
}

function allAtOnce(lines: readonly string[]): string[] {
  const orFailed = (fallback: string) => `\${wherry_failed:-${fallback}}`;
  return [
    ...lines.flatMap((line, index) => [`${line} &`, `wherry_program_${index}=$!`]),
    'wherry_failed=',
    ...lines.map((_, index) => `wait "$wherry_program_${index}" || wherry_failed=${orFailed('$?')}`),
    `( exit "${orFailed('0')}" )`,
  ];
}
