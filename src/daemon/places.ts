import { join } from 'node:path';
import type { ProfileLocation } from '../config/home.js';

/** Where the daemon of a profile keeps its things. */
export interface DaemonPlaces {
  readonly lockFile: string;
  readonly holderFile: string;
  readonly socketFile: string;
  readonly logFile: string;
}

/** Finds the daemon's files of a profile. Touches none. */
export function daemonPlaces({ directory }: Pick<ProfileLocation, 'directory'>): DaemonPlaces {
  return {
    lockFile: join(directory, 'daemon.lock'),
    holderFile: join(directory, 'daemon.holder'),
    socketFile: join(directory, 'daemon.sock'),
    logFile: join(directory, 'daemon.log'),
  };
}
