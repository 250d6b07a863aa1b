import { address, openBy, queue } from './broker-programs.js';

/**
 * The other side of the measurement of brokers, a process of its own: takes tasks, 32 at a time, and accepts them;
 * answers calls with what they bring. Says `ready`, and ends with its input.
 */
const communicator = await openBy(JSON.parse(process.argv[2] ?? ''));
await communicator.serve(address, { echo: (body) => body });
const intake = await communicator.takeTasks(queue, { prefetch: 32 });
process.stdin.on('end', () => process.exit());
process.stdin.resume();
process.stdout.write('ready\n');
for await (const task of intake) await task.accept();
