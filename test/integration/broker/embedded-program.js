/**
 * A program of a profile, told over its channel what to do: { do: name, with: argument }. It answers { result } or
 * { error }, and tells { event } of what happens by itself. Runs from the build.
 */
import { setTimeout as delay } from 'node:timers/promises';

const { openEmbedded } = await import('../../../dist/src/broker/embedded/index.js');
const tell = (event) => process.connected && process.send({ event });
let communicator;

const doing = {
  async open(options) {
    const start = performance.now();
    communicator = await openEmbedded({ ...options, onProblem: () => undefined });
    return performance.now() - start;
  },
  async close() {
    await communicator[Symbol.asyncDispose]();
  },
  /** Closes, and leaves the channel: nothing of ours keeps the program alive then. */
  async closeAndLeave() {
    await communicator[Symbol.asyncDispose]();
    setImmediate(() => process.disconnect());
  },
  async send({ queue, prefix, count }) {
    for (let number = 0; number < count; number++) {
      await communicator.sendTask(queue, { number }, { id: `${prefix}-${number}` });
    }
  },
  /** Takes all tasks that come, tells each, holds it for a moment and accepts it. */
  async takeAll({ queue, prefetch, hold }) {
    const intake = await communicator.takeTasks(queue, { prefetch });
    const take = async () => {
      for await (const task of intake) {
        tell({ id: task.id, attempt: task.attempt });
        await delay(hold);
        // A lost connection gives it to somebody else.
        await task.accept().catch(() => undefined);
      }
    };
    for (let hands = 0; hands < prefetch; hands++) void take();
  },
  /** Takes tasks and accepts them as fast as it can; tells how many when there are so many. */
  async takeFast({ queue, prefetch }) {
    const intake = await communicator.takeTasks(queue, { prefetch });
    const taken = [];
    const take = async () => {
      for await (const task of intake) {
        taken.push(task.id);
        await task.accept();
        if (taken.length === 200) tell({ taken: taken.splice(0) });
      }
    };
    for (let hands = 0; hands < prefetch; hands++) void take();
    setInterval(() => taken.length > 0 && tell({ taken: taken.splice(0) }), 50);
  },
  /** Takes one task and is gone in the same breath. */
  async takeDeadly(queue) {
    const intake = await communicator.takeTasks(queue, { prefetch: 5 });
    await intake.next();
    process.kill(process.pid, 'SIGKILL');
  },
  async listen(filter) {
    await communicator.listen([filter], ({ subject }) => tell({ subject }));
  },
  async serve(address) {
    await communicator.serve(address, { pid: () => process.pid, never: () => new Promise(() => undefined) });
  },
  async call({ address, method, timeout }) {
    return communicator.call(address, method, null, { timeout });
  },
  async status(queue) {
    return communicator.queueStatus(queue);
  },
};

process.on('message', async ({ do: name, with: argument }) => {
  try {
    process.send({ result: (await doing[name](argument)) ?? null });
  } catch (error) {
    process.send({ error: `${error.code}: ${error.message}` });
  }
});
