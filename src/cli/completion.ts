import { type CommandEntry, commandTable, groups } from './command-table.js';
import { print, printable } from './terminal.js';

/**
 * Answers the completion script of a shell, which calls `wherry --get-yargs-completions wherry WORD…`: one candidate
 * for the last word on each line.
 */
export async function complete(words: readonly string[]): Promise<number> {
  const typed = words.slice(words.indexOf('--get-yargs-completions') + 2);
  const current = typed.at(-1) ?? '';
  const before = typed.slice(0, -1);
  const candidates = await candidatesFor(before, current);
  const fitting = candidates.filter((candidate) => candidate.startsWith(current) && printable(candidate) === candidate);
  if (fitting.length > 0) print(fitting.join('\n'));
  return 0;
}

async function candidatesFor(before: readonly string[], current: string): Promise<string[]> {
  const [first] = before;
  if (first === undefined) return [...new Set(commandTable.map(({ path }) => path[0]))];
  if (Object.hasOwn(groups, first) && before.length === 1) {
    return commandTable.filter(({ path }) => path[0] === first).map(({ path }) => path[1] ?? '');
  }
  const entry = commandTable.find(({ path }) => path.every((word, index) => before[index] === word));
  // Behind `--` stands a command of the user's own.
  return entry === undefined || before.includes('--') ? [] : argumentsOf(entry, before.at(-1) ?? '', current);
}

async function argumentsOf(entry: CommandEntry, previous: string, current: string): Promise<string[]> {
  const { command } = await entry.load();
  if (previous === '--computer') return labels();
  if (current.startsWith('-'))
    return [...Object.keys(command.options), 'home', 'profile', 'help'].map((name) => `--${name}`);
  if ('label' in command.positionals) return labels();
  return 'id' in command.positionals || 'ids' in command.positionals ? newestIds() : [];
}

async function labels(): Promise<string[]> {
  const { withProfile } = await import('./with-profile.js');
  const { listComputers } = await import('../engine/computers.js');
  return withProfile({}, async ({ store }) => (await listComputers(store)).map(({ label }) => label));
}

async function newestIds(): Promise<string[]> {
  const { withProfile } = await import('./with-profile.js');
  return withProfile({}, async ({ store }) => {
    const rows = await store.selectFrom('processes').select('id').orderBy('id', 'desc').limit(50).execute();
    return rows.map(({ id }) => String(id));
  });
}
