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
    });
    found.push(...problems.map((problem) => `process ${row.id} (${row.state} ${row.exit_status}): ${problem}`));
  }
  return found;
}

function limitViolations(plan: Plan, { cluster, submissions }: Outcome): string[] {
  const found: string[] = [];
  const { mostAtOnce } = cluster.queue;
  if (mostAtOnce > plan.maxQueued) found.push(`${mostAtOnce} jobs at once where ${plan.maxQueued} are allowed`);
  const { submitPerMinute } = plan;
  if (submitPerMinute !== undefined) {
    for (const { intended_at: from } of submissions) {
      const within = submissions.filter(({ intended_at: at }) => at >= from && at < from + 60_000).length;
      if (within > submitPerMinute)
        found.push(`${within} submissions within a minute where ${submitPerMinute} are allowed`);
    }
  }
  return found;
}

interface Expected {
  readonly mayBeKilled: boolean;
  readonly output: string | undefined;
  readonly said: string;
}

function problemsOf(
  row: ProcessRow,
  planned: PlannedJob,
  submitted: readonly SimulatedJob[],
  { mayBeKilled, output, said }: Expected,
): string[] {
  const problems: string[] = [];
  const [ran, ...more] = submitted.filter(({ runs }) => runs > 0);
  if (more.length > 0) problems.push(`ran as ${[ran, ...more].map((job) => job?.id).join(' and ')}`);
  const alive = submitted.filter(({ history }) => !endedStates.has(endOf(history)));
  if (alive.length > 0) problems.push(`its job ${alive.map(({ id }) => id).join(', ')} is still there`);
  if (row.state === 'killed') return mayBeKilled ? problems : [...problems, 'nobody wanted it killed'];
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
  const statuses: Readonly<Record<string, number>> = { 'node-failure': 140, timeout: 120 };
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
