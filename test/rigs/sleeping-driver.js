// Drives the profile in the home that is named and goes to sleep by SIGSTOP between the intent of a submission and the
// submission itself: in the scheduler `sleepy`, which is direct but for that. By its clock it sleeps for five minutes.
// Tells each of its steps, the next of which comes when something has ended; ends by SIGTERM.
import process from 'node:process';
import { Engine } from '../../dist/src/engine/engine.js';
import { openProfile } from '../../dist/src/engine/profile.js';

const profile = await openProfile({ home: process.argv[2] });
let slept = 0;
globalThis.wherryTestSleep = () => {
  process.kill(process.pid, 'SIGSTOP');
  slept = 300_000;
};
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
const engine = new Engine(profile, { now: () => Date.now() + slept, heartbeat: 60_000 });
const until = () => {
  process.stdout.write('step\n');
  return false;
};
await engine.drive({ signal: stop.signal, until });
await engine[Symbol.asyncDispose]();
await profile[Symbol.asyncDispose]();
