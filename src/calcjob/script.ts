import type { ComputerConfig } from '../config/computer.js';
import type { Job } from '../config/job.js';
import type { SchedulerDefinition } from '../plugin/scheduler.js';
import { commandLine, quote } from '../plugin/shell.js';
import { ownFiles } from './context.js';

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
 * The script that the scheduler runs: shebang, header, claim, environment, prepend, command, append, exit file.
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
  });
  const sections = [
    computer.shebang,
    ...header,
    '',
    `cd -- ${quote(directory)} || exit 1`,
    ...claim(scheduler.jobIdVariable),
    ...exitFile(),
    ...Object.entries(job.environment).map(([name, value]) => `export ${name}=${quote(value)}`),
    computer.prepend,
    job.prepend,
    runLine(job, computer),
    'wherry_status=$?',
    job.append,
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

function runLine(job: Job, computer: ComputerConfig): string {
  const words = [...mpiWords(job, computer), ...job.command];
  const redirect = [
    ...(job.stdin === undefined ? [] : [`< ${quote(`./${job.stdin}`)}`]),
    `> ${quote(`./${job.stdout}`)}`,
    job.stderr === job.stdout ? '2>&1' : `2> ${quote(`./${job.stderr}`)}`,
  ];
  return [commandLine(words), ...redirect].join(' ');
}

function mpiWords(job: Job, computer: ComputerConfig): string[] {
  const { nodes = 1, tasksPerNode = 1, cpusPerTask = 1, gpusPerNode = 0 } = job.resources;
  const totalTasks = nodes * tasksPerNode;
  if (!(job.mpi ?? totalTasks > 1)) return [];
  const values: Record<string, number> = { nodes, tasksPerNode, cpusPerTask, gpusPerNode, totalTasks };
  return computer.mpirun.map((word) =>
    word.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole)),
  );
}
