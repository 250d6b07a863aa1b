import { readdir, readFile, rmdir } from 'node:fs/promises';
import { waitUntil } from './daemon.js';

/** Ends what jobs of this rig have left running: processes whose environment names its configuration file. */
export async function stopJobSteps(configuration: string): Promise<void> {
  await waitUntil(
    'the end of all job steps',
    async () => {
      const pids = await processesOf(configuration);
      for (const pid of pids) process.kill(pid, 'SIGKILL');
      return pids.length === 0;
    },
    10_000,
  );
}

async function processesOf(configuration: string): Promise<number[]> {
  const mark = `SLURM_CONF=${configuration}\0`;
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const found = await Promise.all(
    names.map(async (name) => {
      // A process may end while we look, and those of others may not be read; either way it is none of ours.
      const environment = await readFile(`/proc/${name}/environ`, 'latin1').catch(() => '');
      return environment.includes(mark) ? [Number(name)] : [];
    }),
  );
  return found.flat();
}

/** Removes the cgroups that these nodes have made. Only empty ones can be removed. */
export async function removeCgroups(nodes: readonly string[]): Promise<void> {
  for (const controller of await readdir('/sys/fs/cgroup').catch(() => [])) {
    for (const node of nodes) await removeTree(`/sys/fs/cgroup/${controller}/slurm_${node}`);
  }
}

async function removeTree(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) return;
  for (const entry of entries) if (entry.isDirectory()) await removeTree(`${folder}/${entry.name}`);
  await rmdir(folder);
}
