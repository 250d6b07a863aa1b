import type { Compilable, CompiledQuery, QueryResult } from 'kysely';
import { isPostgres, type Store, type StoreTransaction } from './store.js';

/** Stands where a value will be. */
class Placeholder {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/**
 * A query that is built and compiled once, and then only filled with values. For the few that are asked hundreds of
 * times a second: to build a query costs several times what the database does for it.
 */
export class Prepared<Values extends object, Row = unknown> {
  readonly #build: (
    db: Store,
    value: <Name extends keyof Values & string>(name: Name) => Values[Name],
  ) => Compilable<Row>;
  /** In the words of SQLite and of PostgreSQL: a program may use both. */
  readonly #compiled = new Map<boolean, CompiledQuery>();

  /** @param build is given a function that gives what stands for each of the values */
  constructor(
    build: (db: Store, value: <Name extends keyof Values & string>(name: Name) => Values[Name]) => Compilable<Row>,
  ) {
    this.#build = build;
  }

  /** Asks it of the database. Errors: those of the database. */
  async run(db: Store | StoreTransaction, values: Values): Promise<QueryResult<Row>> {
    const compiled = this.#compiled.get(isPostgres(db)) ?? this.#compile(db);
    const { sql, query, queryId } = compiled;
    const executor = db.getExecutor();
    // Whoever watches what is asked sees this as well.
    executor.transformQuery(query, queryId);
    const parameters = compiled.parameters.map((parameter) =>
      parameter instanceof Placeholder ? values[parameter.name as keyof Values] : parameter,
    );
    return executor.executeQuery<Row>({ sql, query, queryId, parameters } as CompiledQuery<Row>);
  }

  #compile(db: Store | StoreTransaction): CompiledQuery {
    const compiled = this.#build(db.withoutPlugins(), (name) => new Placeholder(name) as never).compile();
    this.#compiled.set(isPostgres(db), compiled);
    return compiled;
  }
}
