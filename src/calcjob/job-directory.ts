/** `<base>/ab/cd/ef…` from the process's uuid: no folder of a site gets too many entries. */
export function jobDirectory(base: string, uuid: string): string {
  return `${base}/${uuid.slice(0, 2)}/${uuid.slice(2, 4)}/${uuid.slice(4)}`;
}

/**
 * The uuid of the process that a path below somebody's `jobDirectory` belongs to, as far as its name tells; undefined for
 * any other path.
 */
export function ownerOfPath(path: string): string | undefined {
  const match = /\/([0-9a-f]{2})\/([0-9a-f]{2})\/([0-9a-f]{4}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?=\/|$)/.exec(path);
  return match === null ? undefined : match.slice(1).join('');
}

/** Is a directory, by its name, the own one of a process, and not one that others have made? */
export function isOwnDirectory(directory: string, uuid: string): boolean {
  return directory.endsWith(jobDirectory('', uuid));
}
