import type { ProcessRow } from '../../src/store/tables.js';
import type { SimulatedJob, SimulatedState } from '../../testing/index.js';
import { endedStates } from '../../testing/queue.js';
import type { Plan, PlannedJob } from './plan.js';
import type { Outcome } from './simulation.js';

/** Everything that must never happen and did. */
export function violations(plan: Plan, outcome: Outcome): string[] {
  const { cluster, rows, outputs, wrong } = outcome;
  const { queue } = cluster;
  const found = [...wrong, ...limitViolations(plan, outcome)];
  const late = lateNames(outcome.submissions);
  for (const [index, row] of rows.entries()) {
    const job = plan.jobs[index];
    if (job === undefined) continue;
    const submitted = [...queue.jobs.values()].filter(
      ({ script }) => script.directory !== '' && script.directory === row.remote_directory,
    );
    const mayBeKilled = plan.acts.some((act) => act.kind === 'kill' && act.job === index);
    const problems = problemsOf(row, job, submitted, {
      mayBeKilled,
      output: outputs.get(row.id),
      said: `job-${index}\n`,
      endedBy: sourceOf(outcome, row.id),
      late,
    });
    found.push(...problems.map((problem) => `process ${row.id} (${row.state} ${row.exit_status}): ${problem}`));
  }
  return found;
}

function limitViolations(plan: Plan, { cluster, submissions, rows }: Outcome): string[] {
  const found: string[] = [];
  // What comes long after it was given up comes beside what was submitted in its place.
  const late = lateNames(submissions);
  const jobs = [...cluster.queue.jobs.values()].filter(
    ({ name, script }) => script.directory !== '' && !late.has(name),
  );
  const weightOf = new Map(rows.map((row, index) => [row.remote_directory, plan.jobs[index]?.licences ?? 1]));
  const limits = [
    { name: 'maxQueued', limit: plan.maxQueued, states: ['queued', 'running'], weight: () => 1 },
    { name: 'maxRunning', limit: plan.maxRunning, states: ['running'], weight: () => 1 },
    {
      name: 'licences',
      limit: plan.licences,
      states: ['queued', 'running'],
      weight: (job: SimulatedJob) => weightOf.get(job.script.directory) ?? 1,
    },
  ];
  for (const { name, limit, states, weight } of limits) {
    const most = mostAtOnce(jobs, states, weight);
    if (limit !== undefined && most > limit) found.push(`${most} at once where ${limit} are allowed by ${name}`);
  }
  const { submitPerMinute } = plan;
  if (submitPerMinute === undefined) return found;
  for (const { intended_at: from } of submissions) {
    const within = submissions.filter(({ intended_at: at }) => at >= from && at < from + 60_000).length;
    if (within > submitPerMinute) found.push(`${within} submissions in a minute where ${submitPerMinute} are allowed`);
  }
  return found;
}

/** Submissions that every source said had never arrived. */
function lateNames(submissions: Outcome['submissions']): Set<string> {
  return new Set(submissions.filter(({ outcome }) => outcome === 'absent').map((each) => each.job_name));
}

/** The most that stood in these states at one moment: a directory counts once, however often it was submitted. */
function mostAtOnce(
  jobs: readonly SimulatedJob[],
  states: readonly string[],
  weight: (job: SimulatedJob) => number,
): number {
  const changes = jobs
    .flatMap((job) =>
      job.history
        // What lasts no time is nowhere.
        .filter(({ at }, index) => at !== job.history[index + 1]?.at)
        .map(({ at, state }) => ({ at, job, isIn: states.includes(state) })),
    )
    // Who leaves at a moment makes room for who comes at it.
    .sort((one, other) => one.at - other.at || Number(one.isIn) - Number(other.isIn));
  const standing = new Map<SimulatedJob, string>();
  let most = 0;
  for (const { job, isIn } of changes) {
    if (isIn) standing.set(job, job.script.directory);
    else standing.delete(job);
    const counted = new Map([...standing.keys()].map((each) => [each.script.directory, weight(each)]));
    most = Math.max(
      most,
      [...counted.values()].reduce((sum, each) => sum + each, 0),
    );
  }
  return most;
}

interface Expected {
  readonly mayBeKilled: boolean;
  readonly output: string | undefined;
  readonly said: string;
  /** Names of submissions that were given up. */
  readonly late: ReadonlySet<string>;
  /** Who told the end of its job. */
  readonly endedBy: string | undefined;
}

function problemsOf(
  row: ProcessRow,
  planned: PlannedJob,
  submitted: readonly SimulatedJob[],
  { mayBeKilled, output, said, endedBy, late }: Expected,
): string[] {
  const problems: string[] = [];
  const [ran, ...more] = submitted.filter(({ runs }) => runs > 0);
  if (more.length > 0) problems.push(`ran as ${[ran, ...more].map((job) => job?.id).join(' and ')}`);
  // What was given up and stands in the queue runs nothing when its turn comes.
  const alive = submitted.filter(
    ({ history, runs, name }) => !endedStates.has(endOf(history)) && (runs > 0 || !late.has(name)),
  );
  if (alive.length > 0) problems.push(`its job ${alive.map(({ id }) => id).join(', ')} is still there`);
  if (row.state === 'killed') {
    const isRisen = ran?.startedAt !== undefined && ran.startedAt > (row.ended_at ?? 0);
    if (isRisen) problems.push(`its job ${ran?.id} began after it was killed`);
    return mayBeKilled ? problems : [...problems, 'nobody wanted it killed'];
  }
  if (row.state !== 'finished') return [...problems, `ended as ${row.state}: ${row.exception}`];
  if (planned.refused !== undefined) {
    if (submitted.length > 0) problems.push('was refused and yet submitted');
    if (row.exit_status !== planned.refused.status) problems.push(`not the status of a refusal: ${row.exit_message}`);
    return problems;
  }
  if (ran === undefined) return [...problems, `never ran${mayBeKilled ? ' and is not killed' : ''}`];
  const story = JSON.stringify(ran.history.map(({ at, state }) => [at - ran.submittedAt, state]));
  const allowed = ran.history.filter(({ state }) => state === 'queued').length;
  if (ran.runs !== allowed) problems.push(`its job ${ran.id} began ${ran.runs} times, ${story}`);
  const end = endOf(ran.history);
  // Where the records were silent, the exit file is all that is known: it tells of TERM and not of the time.
  const timeout = endedBy === 'exit-file' ? 143 : 120;
  const statuses: Readonly<Record<string, number>> = { 'node-failure': 140, timeout };
  const isCut = end !== 'done' && end !== 'failed';
  const expected = statuses[end] ?? planned.exitCode;
  if (row.exit_status !== expected && end !== 'cancelled') {
    problems.push(`not the status ${expected}: ${row.exit_message}; its job ${ran.id}: ${story}`);
  }
  if (!isCut && output !== said) problems.push(`has the output ${output}`);
  if (end === 'cancelled' && !mayBeKilled) problems.push(`its job ${ran.id} was cancelled`);
  return problems;
}

function endOf(history: SimulatedJob['history']): SimulatedState {
  return history.at(-1)?.state ?? 'queued';
}

function sourceOf({ events }: Outcome, id: number): string | undefined {
  const end = events.findLast(({ type, process_id }) => type === 'job.ended' && process_id === id);
  return end === undefined ? undefined : (JSON.parse(end.data) as { source: string }).source;
}
