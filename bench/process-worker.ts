/** One worker: drives the profile in a home until its input ends, and says how much memory it has. */
import { Driver } from '../src/engine/control/driver.js';
import { openProfile } from '../src/engine/profile.js';
import './process-definitions.js';

const stop = new AbortController();
process.on('message', () => process.send?.({ memory: process.memoryUsage().rss }));
process.once('disconnect', () => stop.abort());
await using profile = await openProfile({ home: process.argv[2] });
await using driver = await Driver.open(profile, {
  isWorker: true,
  hasCodeThread: true,
  // As the supervisor of a daemon tells its workers: otherwise the first takes all lanes.
  workers: () => Number(process.argv[3] ?? 1),
  onProblem: (problem) => console.error(problem),
});
process.send?.({ ready: true });
await driver.engine.drive({ signal: stop.signal, until: () => false });
