import { Driver } from '../src/engine/control/driver.js';
import { openProfile } from '../src/engine/profile.js';

/** A worker as its own process, in the home that it is told; it ends when its stdin does. */
const stop = new AbortController();
process.stdin.on('end', () => stop.abort()).resume();
await using profile = await openProfile({ home: process.argv[2] });
await using driver = await Driver.open(profile, { isWorker: true, onProblem: (error) => console.error(error) });
process.stdout.write('ready\n');
await driver.engine.drive({ signal: stop.signal, until: () => false });
