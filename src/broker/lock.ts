import { chmodSync } from 'node:fs';
import { DatabaseSync, type DatabaseSyncInstance } from '@photostructure/sqlite';
import { type ErrorCode, messageOf, WherryError } from '../errors.js';

/**
 * Takes the lock that says "I am the one", such as the daemon of a profile, or returns undefined when another program
 * has it. The system itself lets go of it when its holder dies, however it dies; a file with a pid in it would have to
 * be doubted each time.
 *
 * It is the lock of an empty database: Node has no call for file locks, and this one also holds between the hosts of a
 * shared home, as the store's own does.
 * @param code of the error when the file cannot be locked at all
 */
export function takeLock(file: string, code: ErrorCode): Disposable | undefined {
  let database: DatabaseSyncInstance | undefined;
  try {
    database = new DatabaseSync(file);
    database.exec('pragma busy_timeout = 0');
    // Nothing is ever written that would have to be undone.
    database.exec('pragma journal_mode = memory');
    database.exec('begin exclusive');
    chmodSync(file, 0o600);
    const held = database;
    return { [Symbol.dispose]: () => held.close() };
  } catch (error) {
    database?.close();
    if (/locked|busy/i.test(messageOf(error))) return undefined;
    throw new WherryError(code, `cannot lock ${file}: ${messageOf(error)}`, {
      hint: 'check that the folder is yours and has space left',
      cause: error,
    });
  }
}
