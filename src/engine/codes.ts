import { randomUUID } from 'node:crypto';
import type { StoredInput } from '../calcjob/create.js';
import { type CodeConfig, fullLabel } from '../config/code.js';
import { filesOfFolder } from '../config/code-file.js';
import type { Origin } from '../config/issues.js';
import { didYouMean } from '../config/nearest.js';
import { InputError, WherryError } from '../errors.js';
import { mapBounded } from '../store/map-bounded.js';
import type { Store } from '../store/store.js';
import type { CodeRow } from '../store/tables.js';
import { getComputer } from './computers.js';
import type { Profile } from './profile.js';

/** A code of the store. */
export interface Code {
  readonly row: CodeRow;
  readonly config: CodeConfig;
  /** `pw@daint`, or `pw` for a portable one. */
  readonly name: string;
  /** What is sent along, relative to the job's directory. */
  readonly files: readonly StoredInput[];
}

/**
 * Stores a checked code, with the content of its folder as it is now.
 * Errors: `bad-input` for an unknown computer or a folder that cannot be used; `already-exists`.
 * @param options `replace`: put it in the place of one with the same name
 */
export async function addCode(
  { store, repository }: Pick<Profile, 'store' | 'repository'>,
  config: CodeConfig,
  options: { readonly replace?: boolean; readonly origin?: Origin } = {},
): Promise<Code> {
  const computer = config.computer === undefined ? null : await getComputer(store, config.computer);
  const name = fullLabel(config);
  const known = (await listCodes(store)).find((code) => code.name === name);
  if (known !== undefined && !options.replace) throw exists(name);
  const files = await mapBounded(await filesOfFolder(config, options.origin), async ({ path, source, mode }) => ({
    ...{ path, mode },
    ...(await repository.putFile(source)),
  }));
  const now = Date.now();
  const values = { config: JSON.stringify(config), files: JSON.stringify(files), updated_at: now };
  const row =
    known === undefined
      ? await store
          .insertInto('codes')
          .values({
            ...values,
            uuid: randomUUID(),
            label: config.label,
            computer_id: computer?.id ?? null,
            created_at: now,
          })
          .onConflict((conflict) => conflict.doNothing())
          .returningAll()
          .executeTakeFirst()
      : await store.updateTable('codes').set(values).where('id', '=', known.row.id).returningAll().executeTakeFirst();
  if (row === undefined) throw exists(name);
  return codeOf(row);
}

function exists(name: string): WherryError {
  return new WherryError('already-exists', `there is a code "${name}" already`, {
    hint: `put another in its place with --replace, or remove it: wherry code remove ${name}`,
  });
}

function codeOf(row: CodeRow): Code {
  const config = JSON.parse(row.config) as CodeConfig;
  return { row, config, name: fullLabel(config), files: JSON.parse(row.files) as StoredInput[] };
}

/** All codes, by name. */
export async function listCodes(store: Store): Promise<Code[]> {
  const rows = await store.selectFrom('codes').selectAll().execute();
  return rows.map(codeOf).sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** A code by its name. Errors: `bad-input` with the nearest name. */
export async function getCode(store: Store, name: string): Promise<Code> {
  const found = chooseCode(await listCodes(store), name);
  if (!('problem' in found)) return found;
  throw new InputError(found.problem, [], { hint: found.hint });
}

/**
 * The code that a name stands for. A label alone is that of the computer's code, then of the portable one, then of the
 * only one there is.
 */
export function chooseCode(
  codes: readonly Code[],
  name: string,
  computer?: string,
): Code | { readonly problem: string; readonly hint: string } {
  const wanted = [...(computer === undefined ? [] : [`${name}@${computer}`]), name];
  const exact = wanted.flatMap((one) => codes.find((code) => code.name === one) ?? [])[0];
  if (exact !== undefined) return exact;
  const labelled = codes.filter(({ config }) => config.label === name);
  const names = (some: readonly Code[]) => some.map((code) => code.name).join(', ');
  if (labelled.length === 1 && labelled[0] !== undefined) return labelled[0];
  if (labelled.length > 1)
    return { problem: `there are several codes "${name}"`, hint: `name one of: ${names(labelled)}` };
  const meant = didYouMean(
    name,
    codes.flatMap((code) => [code.name, code.config.label]),
  );
  return {
    problem: `there is no code "${name}"${meant}`,
    hint: `there are: ${names(codes) || 'none'}; add one with: wherry code add`,
  };
}

/** Forgets a code; jobs that were stored with it keep what they need. */
export async function removeCode(store: Store, { row }: Code): Promise<void> {
  await store.deleteFrom('codes').where('id', '=', row.id).execute();
}
