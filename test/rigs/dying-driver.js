// Drives the profile in the home that is named and dies by SIGKILL right after the commit that brings a process into
// the state or stage that is named. Runs from the build, as a program of its own.
import process from 'node:process';
import { Engine } from '../../dist/src/engine/engine.js';
import { openProfile } from '../../dist/src/engine/profile.js';

const [home, deadly] = process.argv.slice(2);
const profile = await openProfile({ home });
const hooks = [
  {
    onChange(change) {
      if (change.stage === deadly || change.to === deadly) process.kill(process.pid, 'SIGKILL');
    },
  },
];
const engine = new Engine(profile, { hooks });
process.stdout.write('driving\n');
await engine.drive({ signal: AbortSignal.timeout(60_000), until: () => false });
