import { disableComputer, drainComputer, enableComputer } from '../../src/engine/computers.js';
import { pause, play, requestKill } from '../../src/engine/intents.js';
import { terminalStates } from '../../src/process/states.js';
import type { ProcessRow } from '../../src/store/tables.js';
import type { Plan } from './plan.js';
import type { World } from './world.js';

/** What people do while drivers drive: they kill, pause and play at their moments. */
export async function act({ profile, clock, rows, tell }: World, { acts }: Plan, over: AbortSignal): Promise<void> {
  const { store } = profile;
  const began = clock.now();
  for (const { at, kind, job } of acts) {
    await clock.sleep(began + at, over);
    const row = rows[job];
    if (over.aborted || row === undefined) return;
    const now = clock.now();
    const done = await {
      kill: () => requestKill(store, row, 'no longer wanted', now),
      pause: () => pause(store, row, 'wait a moment', now),
      play: () => play(store, row, now),
    }[kind]();
    tell(`somebody wants to ${kind} process ${row.id}${done ? '' : ', which has ended'}`);
  }
}

/** Somebody looks after what has been paused for a while, and lets it go on. */
export async function lookAfter({ profile, clock, tell }: World, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    await clock.sleep(clock.now() + 100_000, over);
    if (over.aborted) return;
    const paused: ProcessRow[] = await profile.store
      .selectFrom('processes')
      .selectAll()
      .where('paused', '=', 1)
      .where('state', 'not in', terminalStates)
      .execute();
    for (const row of paused) {
      if (clock.now() - (row.paused_at ?? 0) < 120_000) continue;
      await play(profile.store, row, clock.now());
      tell(`process ${row.id} is played: ${row.paused_reason}`);
    }
  }
}

/** The jobs that the same user submits by hand. */
export async function submitByHand({ cluster, clock }: World, { foreign }: Plan, over: AbortSignal): Promise<void> {
  const began = clock.now();
  for (const [index, { at, lasts }] of foreign.entries()) {
    await clock.sleep(began + at, over);
    if (over.aborted) return;
    cluster.submitForeign(`by-hand-${index}`, lasts);
  }
}

/** Somebody drains or disables the computer, and enables it again. */
export async function pauseComputer(world: World, { pauses }: Plan, over: AbortSignal): Promise<void> {
  const { profile, clock, computer, line, tell } = world;
  const { store } = profile;
  const began = clock.now();
  for (const { at, kind, lasts } of pauses) {
    await clock.sleep(began + at, over);
    if (over.aborted) return;
    await { drain: drainComputer, disable: disableComputer }[kind](store, computer, clock.now());
    line.quiet = { since: clock.now(), only: kind === 'drain' ? 'submit' : undefined };
    tell(`the computer is told to ${kind}`);
    await clock.sleep(clock.now() + lasts, over);
    line.quiet = undefined;
    await enableComputer(store, computer, clock.now());
    tell('the computer is enabled');
  }
}
