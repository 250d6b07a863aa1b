import type { Kysely, Transaction } from 'kysely';
import { messageOf, WherryError } from '../errors.js';
import { migrations } from './migrations.js';
import type { Tables } from './tables.js';

/** The steps that a database has seen, kept as Kysely's own migrator keeps them, which was used before. */
type Steps = Tables & { kysely_migration: { name: string; timestamp: string } };

/**
 * Brings the tables up to date, all steps or none; programs that do so at the same time come one after the other.
 * Errors: `store-newer` when it has seen a step that is not known here, `store-failed`.
 * @param place names the database in messages
 */
export async function migrate(store: Kysely<Tables>, place: string): Promise<void> {
  const db: Kysely<Steps> = store.withTables();
  const known = Object.keys(migrations);
  // Looked up without a lock first, so that opening a store that is up to date is cheap.
  if (missing(known, await appliedSteps(db, place), place).length === 0) return;
  try {
    await db.transaction().execute((transaction) => takeSteps(transaction, known, place));
  } catch (error) {
    if (error instanceof WherryError) throw error;
    throw new WherryError('store-failed', `cannot prepare the database ${place}: ${messageOf(error)}`, {
      hint: 'check that nothing else is in it and that you may make tables there',
      cause: error,
    });
  }
}

async function takeSteps(transaction: Transaction<Steps>, known: readonly string[], place: string): Promise<void> {
  await transaction.schema
    .createTable('kysely_migration')
    .ifNotExists()
    .addColumn('name', 'varchar(255)', (column) => column.notNull().primaryKey())
    .addColumn('timestamp', 'varchar(255)', (column) => column.notNull())
    .execute();
  // Another program may have been faster.
  for (const name of missing(known, await namesOf(transaction), place)) {
    await migrations[name]?.up(transaction);
    const timestamp = new Date().toISOString();
    await transaction.insertInto('kysely_migration').values({ name, timestamp }).execute();
  }
}

/** Errors: `store-newer`. */
function missing(known: readonly string[], applied: readonly string[], place: string): string[] {
  const newer = applied.filter((name) => !known.includes(name));
  if (newer.length === 0) return known.filter((name) => !applied.includes(name));
  throw new WherryError('store-newer', `${place} was written by a newer Wherry (it has step ${newer.join(', ')})`, {
    hint: 'install the newer version, or use another home with --home',
  });
}

async function appliedSteps(db: Kysely<Steps>, place: string): Promise<string[]> {
  try {
    return await namesOf(db);
  } catch (error) {
    if (error instanceof WherryError) throw error;
    if (isMissingTable(error)) return [];
    throw new WherryError('store-failed', `${place} is no database that can be read: ${messageOf(error)}`, {
      hint: 'restore it from a backup, or use another home with --home',
      cause: error,
    });
  }
}

/** SQLite has words for it that never change, PostgreSQL a code: its words are in the language of the server. */
function isMissingTable(error: unknown): boolean {
  return (error as { readonly code?: unknown }).code === undefinedTable || /no such table/.test(messageOf(error));
}

/** SQLSTATE. */
const undefinedTable = '42P01';

async function namesOf(db: Kysely<Steps>): Promise<string[]> {
  const rows = await db.selectFrom('kysely_migration').select('name').execute();
  return rows.map(({ name }) => name);
}
