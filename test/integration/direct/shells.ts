import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll } from 'vitest';

/** Where a busybox stands, if the machine has one; WHERRY_TEST_BUSYBOX names one outside the PATH. */
function findBusybox(): string | undefined {
  const named = process.env.WHERRY_TEST_BUSYBOX;
  if (named) return named;
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'busybox'))
    .find((file) => {
      try {
        execFileSync(file, ['true']);
        return true;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ENOENT' || code === 'EACCES') return false;
        throw error;
      }
    });
}

/** An environment in which `sh` and every small tool are busybox's. */
function busyboxEnvironment(busybox: string): NodeJS.ProcessEnv {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-busybox-'));
  const applets = execFileSync(busybox, ['--list'], { encoding: 'utf8' }).split('\n').filter(Boolean);
  for (const applet of new Set(applets)) symlinkSync(busybox, join(folder, applet));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return { ...process.env, PATH: `${folder}${delimiter}${process.env.PATH}` };
}

const busybox = findBusybox();

/** The shells that the queue is tried with, each as the environment to run it in. */
export const shells: { name: string; environment: NodeJS.ProcessEnv }[] = [
  { name: 'the system shell', environment: { ...process.env } },
  ...(busybox ? [{ name: 'busybox', environment: busyboxEnvironment(busybox) }] : []),
];
