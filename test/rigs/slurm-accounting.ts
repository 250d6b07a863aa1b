import { join } from 'node:path';
import { execute, executeOrFail } from './command.js';
import { type Daemon, startDaemon, waitUntil } from './daemon.js';
import type { SlurmLayout } from './slurm-configuration.js';

/** Starts a MariaDB of its own in the rig's folder, with an empty database for slurmdbd. */
export async function startDatabaseServer(layout: SlurmLayout): Promise<Daemon> {
  const data = join(layout.folder, 'database');
  const common = ['--no-defaults', `--user=${layout.owner}`, `--datadir=${data}`];
  await executeOrFail([
    'mariadb-install-db',
    ...common,
    '--auth-root-authentication-method=normal',
    '--skip-test-db',
    '--skip-name-resolve',
  ]);
  const socket = join(layout.folder, 'database.socket');
  const start = join(layout.folder, 'database.sql');
  const daemon = await startDaemon(
    [
      '/usr/sbin/mariadbd',
      ...common,
      `--socket=${socket}`,
      `--pid-file=${join(layout.folder, 'database.pid')}`,
      `--port=${layout.databaseServerPort}`,
      '--bind-address=127.0.0.1',
      '--skip-name-resolve',
      '--innodb-buffer-pool-size=64M',
      '--innodb-flush-log-at-trx-commit=0',
      '--innodb-flush-method=nosync',
      '--innodb-lock-wait-timeout=900',
      `--init-file=${start}`,
    ],
    { log: join(layout.folder, 'database.log') },
  );
  await waitUntil('MariaDB', async () => ended(daemon) || (await answers(layout.databaseServerPort)));
  return daemon;
}

/** It listens before it has carried out its first commands; only an answer shows that it is ready. */
async function answers(port: number): Promise<boolean> {
  const login = ['--no-defaults', '--host=127.0.0.1', `--port=${port}`, '--user=slurm', '--password=slurm'];
  const { exitCode } = await execute(['mariadb', ...login, '--execute=select 1', 'slurm_accounting']);
  return exitCode === 0;
}

/** What MariaDB does at its first start. */
export const databaseStart = `CREATE DATABASE slurm_accounting;
CREATE USER slurm@'127.0.0.1' IDENTIFIED BY 'slurm';
GRANT ALL ON slurm_accounting.* TO slurm@'127.0.0.1';
`;

/** One sacctmgr for all of it: each start of it costs half a second. */
export function accountingCommands(user: string): string {
  return [
    'add cluster wherry',
    'add account proj1',
    `add user ${user} account=proj1`,
    'add qos limited MaxSubmitJobsPerUser=2 Flags=DenyOnLimit',
    `modify user ${user} set qos+=limited`,
    'quit',
    '',
  ].join('\n');
}

/** Throws with the log of a daemon that has ended though it should not have. */
export function ended(daemon: Daemon): false {
  if (!daemon.running) throw new Error(`a daemon ended at its start:\n${daemon.lastWords()}`);
  return false;
}
