import {
  ColumnNode,
  type OperationNode,
  type QueryResult,
  type RootOperationNode,
  TableNode,
  type UnknownRow,
} from 'kysely';

/** Tables that only the holder of the computer's lease may write. */
const guarded: ReadonlySet<string> = new Set(['processes', 'submissions', 'files']);

/** Watches what drivers write: who took the lease last, and whoever writes without it. */
export class Leasehold {
  readonly violations: string[] = [];
  #holder: string | undefined;

  watch(driver: string, node: RootOperationNode, { rows, numAffectedRows }: QueryResult<UnknownRow>): void {
    const write = writeOf(node);
    if (write === undefined || (numAffectedRows ?? BigInt(rows.length)) === 0n) return;
    // A holder is written down with where it runs; one that gives the lease back or puts off its end is not.
    if (write.table === 'leases' && write.columns.includes('pid')) this.#holder = driver;
    if (guarded.has(write.table) && driver !== this.#holder) {
      this.violations.push(`${driver} writes ${write.table} while ${this.#holder} has the lease`);
    }
  }
}

function writeOf(node: RootOperationNode): { table: string; columns: readonly string[] } | undefined {
  if (node.kind === 'UpdateQueryNode' && node.table !== undefined && TableNode.is(node.table)) {
    const columns = (node.updates ?? []).map(({ column }) => nameOf(column));
    return { table: node.table.table.identifier.name, columns };
  }
  if (node.kind === 'InsertQueryNode' && node.into !== undefined) {
    const columns = (node.columns ?? []).map(nameOf);
    return { table: node.into.table.identifier.name, columns };
  }
  if (node.kind === 'DeleteQueryNode') {
    const [from] = node.from.froms;
    return from !== undefined && TableNode.is(from) ? { table: from.table.identifier.name, columns: [] } : undefined;
  }
  return undefined;
}

function nameOf(column: OperationNode): string {
  return ColumnNode.is(column) ? column.column.name : '';
}
