import { sql } from 'kysely';
import { computerNames, lineColumns, lineOf, type ProcessLine, summaryColumns, summaryOf } from '../../engine/views.js';
import { processStates } from '../../process/states.js';
import type { Store } from '../../store/store.js';
import type { ProcessRow } from '../../store/tables.js';
import { defineCommand, flag, json, text, texts } from '../command.js';
import { usageError } from '../errors.js';
import { age, counted, paintState, remark, stateText } from '../process-text.js';
import { type Column, formatTable } from '../table.js';
import { paint, print, printable, printJson, say, terminalWidth } from '../terminal.js';
import { withProfile } from '../with-profile.js';

interface Filter {
  readonly all: boolean;
  readonly states: readonly string[];
  readonly computer: string | undefined;
  readonly label: string | undefined;
  readonly limit: number | undefined;
}

export const command = defineCommand({
  positionals: {},
  options: {
    all: flag('also what ended more than a day ago'),
    state: texts(`only these states: ${processStates.join(', ')}, paused`),
    computer: text('only processes on this computer'),
    label: text('only processes whose label has this in it'),
    limit: text('only the newest so many'),
    json,
  },
  examples: [
    ['$0', 'what is going on, and what ended within a day'],
    ['$0 --state paused', 'what needs somebody'],
    ['$0 --all --json', 'everything, for programs'],
  ],
  run: (given) =>
    withProfile(given, async ({ store }) => {
      const { computer, label } = given;
      const states = checkedStates(given.state ?? []);
      const filter = { all: given.all, states, computer, label, limit: limitOf(given.limit) };
      const computers = await computerNames(store);
      if (given.json) {
        const rows = await select(store, summaryColumns, filter);
        printJson(rows.map((row) => summaryOf(row, computers)));
      } else {
        const rows = await select(store, lineColumns, filter);
        await show(
          store,
          rows.map((row) => lineOf(row, computers)),
          given.all,
        );
      }
      return 0;
    }),
});

/** Ended processes that are still shown: those of the last day. Milliseconds. */
const recently = 86_400_000;

/** The processes that fit a filter: as columns of their rows, the newest last. */
async function select<Name extends keyof ProcessRow>(
  store: Store,
  columns: readonly Name[],
  filter: Filter,
): Promise<Pick<ProcessRow, Name>[]> {
  let query = store.selectFrom('processes').orderBy('id', 'desc');
  if (!filter.all && filter.states.length === 0) {
    const since = Date.now() - recently;
    query = query.where((where) => where.or([where('ended_at', 'is', null), where('ended_at', '>', since)]));
  }
  if (filter.states.length > 0) {
    const states = filter.states.filter((state) => state !== 'paused');
    const paused = filter.states.includes('paused');
    query = query.where((where) =>
      where.or([
        ...(states.length > 0 ? [where('state', 'in', states)] : []),
        ...(paused ? [where('paused', '=', 1)] : []),
      ]),
    );
  }
  if (filter.computer !== undefined) {
    const { getComputer } = await import('../../engine/computers.js');
    query = query.where('computer_id', '=', (await getComputer(store, filter.computer)).id);
  }
  if (filter.label !== undefined) {
    const escaped = filter.label.replace(/[\\%_]/g, (character) => `\\${character}`);
    query = query.where(sql<boolean>`lower(label) like lower(${`%${escaped}%`}) escape '\\'`);
  }
  if (filter.limit !== undefined) query = query.limit(filter.limit);
  const rows = await query.select(columns).execute();
  return (rows as unknown as Pick<ProcessRow, Name>[]).reverse();
}

async function show(store: Store, lines: readonly ProcessLine[], all: boolean): Promise<void> {
  const now = Date.now();
  const columns: Column<ProcessLine>[] = [
    { title: 'ID', align: 'right', value: ({ id }) => String(id) },
    { title: 'AGE', align: 'right', value: ({ createdAt }) => age(createdAt, now) },
    { title: 'NAME', value: ({ name }) => (lines.some((line) => line.name !== 'shell') ? name : '') },
    { title: 'LABEL', value: ({ label }) => printable(label) },
    { title: 'COMPUTER', value: ({ computer }) => computer ?? '' },
    { title: 'JOB', value: ({ jobId }) => printable(jobId ?? '') },
    { title: 'STATE', value: stateText, paint: paintState },
    { title: 'REMARK', value: remark },
  ];
  if (lines.length > 0) {
    const width = terminalWidth(process.stdout);
    print(formatTable(columns, lines, { width, header: paint.bold }).join('\n'));
    return;
  }
  const { count } = await store
    .selectFrom('processes')
    .select((row) => row.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  if (Number(count) === 0) say('there are no processes; begin with: wherry run --computer localhost -- echo hello');
  else if (all) say('none of the processes is like that');
  else say(`nothing is going on; ${counted(Number(count), 'process', 'processes')} in all: wherry ps --all`);
}

function checkedStates(states: readonly string[]): string[] {
  const words = states.flatMap((state) => state.split(','));
  const known: readonly string[] = [...processStates, 'paused'];
  const wrong = words.find((word) => !known.includes(word));
  if (wrong !== undefined) throw usageError(`there is no state "${wrong}"`, `states are: ${known.join(', ')}`);
  return words;
}

function limitOf(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(value)) throw usageError(`"${value}" is no limit`, 'give a whole number from 1 on');
  return Number(value);
}
