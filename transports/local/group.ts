import type { ChildProcess } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';

/** Milliseconds that a process has to end after being asked to. */
const grace = 2000;

/**
 * Ends a process that leads its group, and all of the group: asks them to, kills what is left after two seconds, and
 * closes the pipes that a process which left the group may hold open. Returns when the group is gone.
 */
export async function endGroup(leader: ChildProcess): Promise<void> {
  const group = leader.pid;
  if (group === undefined) return;
  send(group, 'SIGTERM');
  // A stopped process would get to the end of its life only when continued.
  send(group, 'SIGCONT');
  const until = performance.now() + grace;
  for (let wait = 2; performance.now() < until && (await isAlive(group)); wait = Math.min(wait * 2, 100)) {
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
  send(group, 'SIGKILL');
  for (const stream of [leader.stdin, leader.stdout, leader.stderr]) stream?.destroy();
}

/**
 * Whether any process of the group still runs. Ended ones that nobody has waited for count as members for the kernel,
 * and in a container they may stay so for long.
 */
async function isAlive(group: number): Promise<boolean> {
  if (!send(group, 0)) return false;
  const processes = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  if (processes.length === 0) return true;
  for (const id of processes) {
    // One that ends meanwhile has no file any more.
    const line = await readFile(`/proc/${id}/stat`, 'latin1').catch(() => '');
    // State, parent and group follow the name, which may hold anything.
    const [state, , memberOf] = line.slice(line.lastIndexOf(')') + 2).split(' ');
    if (Number(memberOf) === group && state !== 'Z' && state !== 'X') return true;
  }
  return false;
}

/** Whether there was anybody in the group to get the signal. */
function send(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, signal);
  } catch (error) {
    // Gone, or (for a program with rights of its own) not ours to end.
    if (['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}
