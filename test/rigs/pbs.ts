import { chmod, copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { quote } from '../../src/plugin.js';
import { until } from './until.js';

/** `down`: connections are refused. `hang`: nothing is answered. `hang-after-accept`: the job is queued, the reply is not. */
export type PbsFault = 'down' | 'hang' | 'hang-after-accept';

export interface PbsOptions {
  /** Where its commands and jobs are kept; the user who submits must be able to reach it. */
  readonly directory: string;
  /** Processors of the one node. Default 8. */
  readonly cpus?: number;
  /** Most jobs of a user in the queue `workq`. Default: no limit. */
  readonly maxQueued?: number;
}

/** Commands that behave as those of PBS, with jobs that really run. */
export interface PbsStandIn extends AsyncDisposable {
  /** To be put at the front of the PATH of whoever submits. */
  readonly binDirectory: string;
  /** The environment of this process with that PATH. */
  readonly environment: NodeJS.ProcessEnv;
  /** Breaks the server, or mends it. */
  setFault(fault: PbsFault | undefined): Promise<void>;
  /** Ends all jobs and hanging commands. */
  stop(): Promise<void>;
}

const source = fileURLToPath(new URL('./pbs-stand-in/', import.meta.url));
const commands = ['qsub', 'qstat', 'qdel', 'qselect'];

/** Sets up a PBS of one node. Nothing runs until a job does. */
export async function startPbsStandIn({ directory, ...configuration }: PbsOptions): Promise<PbsStandIn> {
  const library = join(directory, 'lib');
  const binDirectory = join(directory, 'bin');
  for (const folder of [directory, library, binDirectory]) await mkdir(folder, { recursive: true });
  // Whoever submits writes here, and may be another user than the one who set it up.
  for (const folder of [directory, join(directory, 'jobs'), join(directory, 'spool')]) {
    await mkdir(folder, { recursive: true });
    await chmod(folder, 0o777);
  }
  for (const file of await readdir(source)) await copyFile(join(source, file), join(library, file));
  await writeFile(join(library, 'package.json'), '{ "type": "module" }\n');
  await writeFile(join(directory, 'configuration.json'), JSON.stringify(configuration));
  for (const command of commands) {
    const run = [process.execPath, join(library, `${command}.js`)].map(quote).join(' ');
    const text = `#!/bin/sh\nexport PBS_STAND_IN=${quote(directory)}\nexec ${run} "$@"\n`;
    await writeFile(join(binDirectory, command), text, { mode: 0o755 });
  }
  const setFault = (fault: PbsFault | undefined) => writeFile(join(directory, 'fault'), fault ?? '');
  const stop = async () => {
    await until(async () => (await killMarked(directory)) === 0, { what: 'the end of all processes of the stand-in' });
  };
  return {
    binDirectory,
    environment: { ...process.env, PATH: `${binDirectory}${delimiter}${process.env.PATH}` },
    setFault,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Kills the processes that were started for this directory, known by their environment; says how many there were. */
async function killMarked(directory: string): Promise<number> {
  const marks = [`PBS_STAND_IN=${directory}\0`, `PBS_STAND_IN_JOB=${directory}#`];
  let count = 0;
  for (const name of await readdir('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const environment = await readGone(`/proc/${pid}/environ`);
    if (!marks.some((mark) => `\0${environment}`.includes(`\0${mark}`))) continue;
    count++;
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
  return count;
}

/** The text of a file of /proc; nothing when its process is gone or somebody else's. */
async function readGone(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw error;
  }
}
