import type { EventData } from '../store/events.js';
import type { EventRow, ProcessRow } from '../store/tables.js';

/** How long a process was in one stage; `to` is null while it still is. A stage can come more than once. */
export interface StageTiming {
  readonly stage: string;
  readonly from: string;
  readonly to: string | null;
  readonly durationMs: number | null;
}

/** The stages that a process went through, from its events, oldest first. */
export function stageTimings(
  row: Pick<ProcessRow, 'kind' | 'stage' | 'created_at' | 'ended_at'>,
  events: readonly EventRow[],
): StageTiming[] {
  const changes = events
    .filter((event) => event.type === 'process.stage')
    .map((event) => ({ at: Number(event.at), ...(JSON.parse(event.data) as EventData['process.stage']) }));
  const first =
    changes[0]?.from ?? row.stage ?? (row.ended_at === null ? null : row.kind === 'calcjob' ? 'upload' : 'run');
  if (first === null) return [];
  const starts = [{ stage: first, at: Number(row.created_at) }, ...changes.map(({ to, at }) => ({ stage: to, at }))];
  return starts.map(({ stage, at }, index) => {
    const end = starts[index + 1]?.at ?? (row.ended_at === null ? null : Number(row.ended_at));
    return {
      stage,
      from: new Date(at).toISOString(),
      to: end === null ? null : new Date(end).toISOString(),
      durationMs: end === null ? null : end - at,
    };
  });
}
