import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventsAfter, eventsOf, writeEvents } from '../../../src/store/events.js';
import { insertProcess } from '../process/stored-process.js';
import { type TemporaryStore, temporaryStore } from './temporary-store.js';

describe('events', () => {
  let rig: TemporaryStore;
  beforeEach(async () => {
    rig = await temporaryStore();
  });
  afterEach(() => rig[Symbol.asyncDispose]());

  it('come in the order in which they were written, whatever the clock says', async () => {
    const { store } = rig;
    const { id } = await insertProcess(store);
    await writeEvents(store, id, 900, [
      { type: 'process.stage', data: { from: 'upload', to: 'submit' } },
      { type: 'process.paused', data: { reason: 'first' } },
    ]);
    await writeEvents(store, id, 100, [{ type: 'process.played', data: {} }]);
    const events = await eventsOf(store, id);
    expect(events.map(({ type, at }) => [type, at])).toEqual([
      ['process.stage', 900],
      ['process.paused', 900],
      ['process.played', 100],
    ]);
    expect(JSON.parse(events[1]?.data ?? '')).toEqual({ reason: 'first' });
  });

  it('of one process leave out those of others and of computers', async () => {
    const { store } = rig;
    const [one, two] = [await insertProcess(store), await insertProcess(store)];
    await writeEvents(store, one.id, 1, [{ type: 'process.played', data: {} }]);
    await writeEvents(store, two.id, 1, [{ type: 'process.played', data: {} }]);
    await writeEvents(store, null, 1, [{ type: 'computer.released', computerId: 4, data: {} }]);
    expect(await eventsOf(store, one.id)).toHaveLength(1);
    expect((await eventsAfter(store, 0, 10)).map((event) => [event.process_id, event.computer_id])).toEqual([
      [one.id, null],
      [two.id, null],
      [null, 4],
    ]);
  });

  it('are followed from a position in pieces, without a gap or a repetition', async () => {
    const { store } = rig;
    const { id } = await insertProcess(store);
    for (let at = 0; at < 7; at++) await writeEvents(store, id, at, [{ type: 'process.played', data: {} }]);
    const seen: number[] = [];
    for (let position = 0; ; ) {
      const piece = await eventsAfter(store, position, 3);
      if (piece.length === 0) break;
      seen.push(...piece.map((event) => event.at));
      position = piece.at(-1)?.id ?? position;
    }
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it('go with their transaction', async () => {
    const { store } = rig;
    const { id } = await insertProcess(store);
    const failing = store.transaction().execute(async (transaction) => {
      await writeEvents(transaction, id, 1, [{ type: 'process.played', data: {} }]);
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await eventsOf(store, id)).toEqual([]);
  });

  it('need none to be written', async () => {
    await writeEvents(rig.store, null, 1, []);
    expect(await eventsAfter(rig.store, 0, 1)).toEqual([]);
  });
});

describe('the page of events', () => {
  it('lists exactly the events that there are, in their order, with their data', async () => {
    const source = await readFile(new URL('../../../src/store/events.ts', import.meta.url), 'utf8');
    const declared = /export interface EventData \{\n([\s\S]*?)\n\}/.exec(source)?.[1] ?? '';
    const events = [...declared.matchAll(/^ {2}'([\w.-]+)': (.+);$/gm)].map(([, type, data]) => [type, data]);
    expect(events.length).toBeGreaterThan(10);
    expect(events).toHaveLength(declared.split('\n').length);
    const page = await readFile(new URL('../../../docs/events.md', import.meta.url), 'utf8');
    const rows = [...page.matchAll(/^\| `([^`]+)` \| `(.+?)` \| (.+?) \| (.+?) \|$/gm)];
    const withoutEscapes = rows.map(([, type, data]) => [type, data?.replaceAll('\\|', '|')]);
    expect(withoutEscapes).toEqual(events);
    expect(rows.every(([, , , when, who]) => when?.endsWith('.') && who !== '')).toBe(true);
  });
});
