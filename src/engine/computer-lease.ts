const prefix = 'computer:';

/** The lease of a computer. */
export function computerLease(id: number): string {
  return `${prefix}${id}`;
}

/** The computer of a lease; undefined for a lease of something else. */
export function computerOfLease(name: string): number | undefined {
  return name.startsWith(prefix) ? Number(name.slice(prefix.length)) : undefined;
}
