import { join } from 'node:path';
import { execute, executeOrFail } from '../test/rigs/command.js';
import type { SshdConnection } from '../test/rigs/sshd.js';

/** The peers on this machine: rsync and scp over OpenSSH's own client. */
export interface Peers extends AsyncDisposable {
  /** `rsync -a`, with a connection of its own. */
  rsync(from: string, to: string): Promise<void>;
  /** `rsync -a` over a connection that is open already. */
  rsyncOverOpen(from: string, to: string): Promise<void>;
  /** `scp -r`, with a connection of its own; one side may be on the computer, written `computer:/path`. */
  scp(from: string, to: string): Promise<void>;
}

/** How long a peer may take. Milliseconds. */
const patience = 300_000;

/** Prepares the peers for one server, with a master connection that stays open. */
export async function startPeers(connection: SshdConnection, directory: string): Promise<Peers> {
  const { host, port, user, identityFile, knownHostsFile, configFile } = connection;
  const options = [
    ...['-F', configFile, '-i', identityFile],
    ...['-o', 'IdentitiesOnly=yes', '-o', `UserKnownHostsFile=${knownHostsFile}`, '-o', 'BatchMode=yes'],
  ];
  const socket = join(directory, `master-${port}`);
  const login = ['-p', String(port), '-l', user];
  const run = async (words: readonly string[]) => void (await executeOrFail(words, { timeout: patience }));
  await run(['ssh', ...options, ...login, '-M', '-S', socket, '-N', '-f', '-o', 'LogLevel=QUIET', host]);
  const remote = (place: string) => place.replace(/^computer:/, `${host}:`);
  const rsync = (from: string, to: string, more: readonly string[]) =>
    run(['rsync', '-a', '-e', ['ssh', ...options, ...login, ...more].join(' '), remote(from), remote(to)]);
  return {
    rsync: (from, to) => rsync(from, to, []),
    rsyncOverOpen: (from, to) => rsync(from, to, ['-S', socket]),
    scp: (from, to) =>
      run(['scp', '-q', '-r', ...options, '-o', `User=${user}`, '-P', String(port), remote(from), remote(to)]),
    async [Symbol.asyncDispose]() {
      await execute(['ssh', ...options, ...login, '-S', socket, '-O', 'exit', host]);
    },
  };
}
