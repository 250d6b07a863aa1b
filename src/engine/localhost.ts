import { hostname } from 'node:os';
import { join } from 'node:path';
import { type ComputerConfig, computerSchema } from '../config/computer.js';
import type { ProfileLocation } from '../config/home.js';
import type { ProfileSettings } from '../config/profile-file.js';

/** The computer that every new profile has: this machine, with a queue of its own. */
export function localhost(location: ProfileLocation, settings: ProfileSettings): ComputerConfig {
  const config = computerSchema.parse({
    label: 'localhost',
    description: 'this machine',
    transport: 'local',
    scheduler: 'direct',
    workDirectory: join(location.directory, 'work'),
    shebang: '#!/bin/sh',
  });
  return boundToHost(config, settings);
}

/**
 * A computer that is "this machine" is another one on every host: where hosts may share the profile, it is that of the
 * host on which it was added.
 */
export function boundToHost(config: ComputerConfig, { store }: ProfileSettings): ComputerConfig {
  if (config.transport !== 'local' || store === undefined || config.connection.host !== undefined) return config;
  return { ...config, connection: { ...config.connection, host: hostname() } };
}
