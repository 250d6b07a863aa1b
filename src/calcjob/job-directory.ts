/** `<base>/ab/cd/ef…` from the process's uuid: no folder of a site gets too many entries. */
export function jobDirectory(base: string, uuid: string): string {
  return `${base}/${uuid.slice(0, 2)}/${uuid.slice(2, 4)}/${uuid.slice(4)}`;
}
