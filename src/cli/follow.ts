import { releaseCommand } from '../engine/computer-unavailable.js';
import type { News } from '../engine/control/news.js';
import { Wakeable } from '../engine/control/wakeable.js';
import { driverOf } from '../engine/driver-of.js';
import type { Profile } from '../engine/profile.js';
import { computerNames, type ProcessSummary, summaryColumns, summaryOf } from '../engine/views.js';
import { fromJson, type Store } from '../store/store.js';
import { daemonTakesUp } from './daemon-text.js';
import { nameOf } from './process-text.js';

/** The processes as they are now, in the order of their ids. */
export async function readSummaries(store: Store, ids: readonly number[]): Promise<ProcessSummary[]> {
  const computers = await computerNames(store);
  const summaries: ProcessSummary[] = [];
  // Chunks keep the number of bound values below what the databases allow.
  for (let start = 0; start < ids.length; start += 500) {
    const rows = await store
      .selectFrom('processes')
      .select(summaryColumns)
      .where('id', 'in', ids.slice(start, start + 500))
      .orderBy('id')
      .execute();
    summaries.push(...rows.map((row) => summaryOf(row, computers)));
  }
  return summaries;
}

/** Why a process cannot go on unless somebody does something. */
export interface Obstacle {
  readonly id: number;
  readonly label: string;
  readonly reason: string;
  readonly hint: string;
}

/** What keeps processes from going on by themselves: they are paused, or their computer is held. */
export async function obstacles(store: Store, summaries: readonly ProcessSummary[]): Promise<Obstacle[]> {
  const rows = await store.selectFrom('computers').select(['label', 'hold']).where('hold', 'is not', null).execute();
  const holds = new Map(rows.map(({ label, hold }) => [label, fromJson<Hold>(hold)]));
  return summaries.flatMap((summary) => {
    const obstacle = obstacleOf(summary, holds);
    return obstacle === undefined ? [] : [{ id: summary.id, label: summary.label, ...obstacle }];
  });
}

interface Hold {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

function obstacleOf(
  summary: ProcessSummary,
  holds: ReadonlyMap<string, Hold | undefined>,
): { reason: string; hint: string } | undefined {
  const { id, computer, stage } = summary;
  if (summary.endedAt !== null) return undefined;
  // A job that runs on the computer is looked after even while its process is paused.
  if (summary.paused && stage !== 'update') {
    return { reason: `is paused: ${summary.pausedReason ?? ''}`, hint: `mend it, then run: wherry play ${id}` };
  }
  const hold = computer === null ? undefined : holds.get(computer);
  if (hold === undefined || stage === 'parse') return undefined;
  const next = `run: ${releaseCommand(computer ?? '', hold.code)}`;
  return {
    reason: `waits for ${computer}, which is held: ${hold.message}`,
    hint: hold.hint === undefined ? next : `${hold.hint}; then ${next}`,
  };
}

/** Tells once for each computer that nobody drives it, and that no daemon will. */
export async function sayIfUndriven(
  { store, location }: Profile,
  summaries: readonly ProcessSummary[],
  said: Set<string>,
  tell: (sentence: string) => void,
): Promise<void> {
  const rows = await store.selectFrom('computers').select(['id', 'label']).execute();
  for (const { id, label } of rows) {
    const waiting = summaries.filter((summary) => summary.computer === label && summary.endedAt === null);
    const [first] = waiting;
    if (first === undefined || said.has(label) || (await driverOf(store, id)) !== null) continue;
    if (await daemonTakesUp(location)) continue;
    said.add(label);
    const rest = waiting.length > 1 ? ` and ${waiting.length - 1} more` : '';
    tell(`nothing drives ${nameOf(first)}${rest} on ${label}: run \`wherry daemon start\`, or \`wherry tick\` by cron`);
  }
}

/** Looks every so often, and when there is news, until `enough` says so or the signal comes. Drives nothing. */
export async function watchUntil(
  signal: AbortSignal,
  enough: () => Promise<boolean>,
  news: Pick<News, 'wait'> = new Wakeable(),
): Promise<void> {
  let pause = 50;
  while (!signal.aborted && !(await enough())) {
    await news.wait(pause, signal);
    pause = Math.min(1_000, pause * 1.5);
  }
}
