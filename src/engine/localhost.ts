import { join } from 'node:path';
import { type ComputerConfig, computerSchema } from '../config/computer.js';
import type { ProfileLocation } from '../config/home.js';

/** The computer that every new profile has: this machine, with a queue of its own. */
export function localhost(location: ProfileLocation): ComputerConfig {
  return computerSchema.parse({
    label: 'localhost',
    description: 'this machine',
    transport: 'local',
    scheduler: 'direct',
    workDirectory: join(location.directory, 'work'),
    shebang: '#!/bin/sh',
  });
}
