import { WherryError } from '../../errors.js';
import type { Store } from '../../store/store.js';
import { pause, play, requestKill } from '../intents.js';
import { computerNames, type ProcessSummary, summaryOf } from '../views.js';
import type { ProcessRequest } from './messages.js';

/** Writes down what somebody wants of a process and tells how it is then. Errors: `not-found`. */
export async function applyIntent(store: Store, { id, intent, reason }: ProcessRequest): Promise<ProcessSummary> {
  const find = () => store.selectFrom('processes').selectAll().where('id', '=', id).executeTakeFirst();
  const row = await find();
  if (row === undefined) throw new WherryError('not-found', `there is no process ${id}`);
  if (intent === 'pause') await pause(store, row, reason ?? 'paused on request');
  else if (intent === 'play') await play(store, row);
  else if (intent === 'kill') await requestKill(store, row, reason ?? 'killed on request');
  return summaryOf((await find()) ?? row, await computerNames(store));
}
