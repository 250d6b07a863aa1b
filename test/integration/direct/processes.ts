import type { ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { until } from '../../rigs/until.js';

/** Is there a process of this number that is more than a zombie? */
export async function alive(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return undefined;
    throw error;
  });
  return text !== undefined && !/\) [ZX]/.test(text);
}

/** Waits for a file with a process number. */
export async function readPid(file: string): Promise<number> {
  const text = await until(
    async () => {
      const content = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return '';
        throw error;
      });
      return content.endsWith('\n') ? content : undefined;
    },
    { what: `a number in ${file}` },
  );
  return Number(text);
}

/** Kills the process group that a detached child leads, if it is still there. */
export function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) throw new Error('the child was not started');
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
