/**
 * A program of its own with one communicator, told over its channel what to do, one thing at a time. It answers
 * `{ result }` or `{ error }`, and tells `{ event }` when a method of it is called or a broadcast comes.
 */
let communicator;
const kept = [];

const requests = {
  async open({ module, function: name, options }) {
    const { [name]: open } = await import(new URL(`../../../dist/src/${module}`, import.meta.url));
    communicator = await open(options);
  },
  async send({ queue, body }) {
    await communicator.sendTask(queue, body);
  },
  /** Takes a task and keeps it in hand. */
  async take(queue) {
    const intake = await communicator.takeTasks(queue, { prefetch: 1 });
    const task = await intake.next();
    kept.push(intake, task);
    return { id: task.id, body: task.body, attempt: task.attempt };
  },
  /** Serves `echo`, `fail` and `never`. */
  async serve(address) {
    const never = (body) => {
      process.send({ event: body });
      return new Promise(() => undefined);
    };
    const fail = (body) => {
      throw new TypeError(String(body));
    };
    kept.push(await communicator.serve(address, { echo: (body) => body, fail, never }));
  },
  async call({ recipient, method, body }) {
    return communicator.call(recipient, method, body, { timeout: 30_000 });
  },
  async listen(filter) {
    kept.push(await communicator.listen([filter], (broadcast) => process.send({ event: broadcast })));
  },
  async broadcast({ subject, message }) {
    await communicator.broadcast(subject, message);
  },
};

process.on('message', async (request) => {
  const [[name, argument]] = Object.entries(request);
  try {
    process.send({ result: (await requests[name](argument)) ?? null });
  } catch (error) {
    process.send({ error: `${error.code}: ${error.message}` });
  }
});
process.on('disconnect', () => process.exit());
