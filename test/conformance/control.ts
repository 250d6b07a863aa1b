import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Broadcast, Communicator, Json } from '../../src/broker/communicator.js';
import { processQueue } from '../../src/engine/control/addresses.js';
import { Driver } from '../../src/engine/control/driver.js';
import { endsOf, News } from '../../src/engine/control/news.js';
import { openCommunicator } from '../../src/engine/control/open-communicator.js';
import { presentWorkers } from '../../src/engine/control/presence.js';
import { ProcessControl } from '../../src/engine/control/process-control.js';
import { openProfile } from '../../src/engine/profile.js';
import type { TestProfile } from '../rigs/profile.js';
import { until } from '../rigs/until.js';

/** What drivers and programs can do with each other, whatever the broker is. */
export function controlConformance(broker: string, start: () => Promise<TestProfile>): void {
  describe(`control over ${broker}`, () => {
    let rig: TestProfile;
    let communicator: Communicator;
    let control: ProcessControl;
    const running: { driver: Driver; ended: Promise<void>; stop: AbortController }[] = [];
    const problems: unknown[] = [];

    beforeEach(async () => {
      rig = await start();
      communicator = await openCommunicator(rig.profile, { preferred: true });
      control = new ProcessControl(rig.profile, communicator);
    });
    afterEach(async () => {
      await Promise.all([...running].map(stop));
      await communicator[Symbol.asyncDispose]();
      await rig[Symbol.asyncDispose]();
      expect(problems.splice(0)).toEqual([]);
    });

    async function drive(): Promise<(typeof running)[number]> {
      const profile = await openProfile(rig.profile.location);
      const driver = await Driver.open(profile, { isWorker: true, onProblem: (error) => problems.push(error) });
      const stop = new AbortController();
      const drive = async () => {
        await driver.engine.drive({ signal: stop.signal, until: () => false });
        await driver[Symbol.asyncDispose]();
        await profile[Symbol.asyncDispose]();
      };
      const one = { driver, ended: drive(), stop };
      running.push(one);
      return one;
    }

    async function stop(one: (typeof running)[number]): Promise<void> {
      running.splice(running.indexOf(one), 1);
      one.stop.abort();
      await one.ended;
    }

    const sleeper = (seconds: number) => ({
      computer: 'localhost',
      command: ['sleep', String(seconds)] as [string, string],
    });
    const state = async (id: number) => (await rig.row(id)).state;
    const inQueue = (id: number) =>
      until(async () => (await rig.row(id)).stage === 'update', { what: 'its job in the queue', timeout: 30_000 });

    it('launches: a worker stores the job, with its files, and runs it', async () => {
      await drive();
      const file = `${rig.directory}/in.txt`;
      await import('node:fs/promises').then((fs) => fs.writeFile(file, 'from afar\n'));
      const job = { computer: 'localhost', command: ['cat', 'in.txt'] as [string, string], files: { 'in.txt': file } };
      const { id, uuid } = await control.launch(job);
      expect((await rig.row(id)).uuid).toBe(uuid);
      await until(async () => (await state(id)) === 'finished', { what: 'its end', timeout: 30_000 });
      expect(await rig.output(id, 'stdout.txt')).toBe('from afar\n');
    });

    it('creates what waits until it is continued', async () => {
      await drive();
      const { id } = await control.create({ computer: 'localhost', command: ['true'] });
      const { id: other } = await control.launch({ computer: 'localhost', command: ['true'] });
      await until(async () => (await state(other)) === 'finished', { what: 'the end of another', timeout: 30_000 });
      expect(await rig.row(id)).toMatchObject({ state: 'created', stage: 'upload', paused: 1 });
      await control.continue(id);
      await until(async () => (await state(id)) === 'finished', { what: 'its end', timeout: 30_000 });
    });

    it('does what is asked for twice once', async () => {
      await drive();
      const order = {
        task: 'launch',
        uuid: '6f0f9c3e-8f0b-4c7e-9f4e-2f6f1f0b8a11',
        job: { computer: 'localhost', command: ['true'] },
        files: [],
      };
      const answers = await Promise.all(
        [1, 2, 3].map(() => communicator.callTask(processQueue, order, { timeout: 20_000 })),
      );
      expect(new Set(answers.map((answer) => (answer as { id: number }).id)).size).toBe(1);
      const rows = await rig.profile.store.selectFrom('processes').select('id').execute();
      expect(rows).toHaveLength(1);
    });

    it('tells who waits what is wrong with a job, and parks what nobody waits for', async () => {
      await drive();
      const wrong = control.launch({ computer: 'nowhere', command: ['true'] });
      await expect(wrong).rejects.toMatchObject({ code: 'bad-input' });
      await expect(control.continue(4711)).rejects.toMatchObject({ code: 'not-found' });
      await communicator.sendTask(processQueue, { task: 'dance' });
      const parked = await until(
        async () => {
          const [first] = await communicator.parkedTasks(processQueue, 10);
          return first;
        },
        { what: 'the parked task' },
      );
      expect(parked).toMatchObject({ body: { task: 'dance' }, attempts: 1, reason: 'that is no task for processes' });
      expect(await communicator.queueStatus(processQueue)).toMatchObject({ parked: 1 });
      expect(await communicator.dropParked(processQueue, [parked.id])).toBe(1);
    });

    it('pauses, plays, kills and asks one process by way of its driver', async () => {
      await drive();
      const { id } = await control.launch(sleeper(60));
      await inQueue(id);
      expect(await control.pause(id, 'for lunch')).toMatchObject({
        heard: true,
        process: { id, paused: true, pausedReason: 'for lunch' },
      });
      expect(await control.status(id)).toMatchObject({ heard: true, process: { paused: true, stage: 'update' } });
      expect(await control.play(id)).toMatchObject({ heard: true, process: { paused: false } });
      expect(await control.kill(id, 'enough')).toMatchObject({ heard: true });
      await until(async () => (await state(id)) === 'killed', { what: 'its end', timeout: 30_000 });
      expect((await rig.row(id)).exit_message).toBe('enough');
      await expect(control.status(4711)).rejects.toMatchObject({ code: 'not-found' });
    });

    it('writes down what no driver can hear: it is done by the next', async () => {
      const computer = await rig.profile.store.selectFrom('computers').selectAll().executeTakeFirstOrThrow();
      const { id } = await rig.submit(computer, { command: ['sleep', '60'] });
      expect(await control.pause(id)).toMatchObject({ heard: false, process: { paused: true } });
      expect(await control.status(id)).toMatchObject({ heard: false, process: { paused: true } });
      expect(await control.play(id)).toMatchObject({ heard: false, process: { paused: false } });
      expect(await control.kill(id, 'gone')).toMatchObject({ heard: false });
      await drive();
      await until(async () => (await state(id)) === 'killed', { what: 'its end', timeout: 30_000 });
    });

    it('pauses, plays and kills all at once', async () => {
      await drive();
      const launched = await Promise.all(Array.from({ length: 10 }, () => control.launch(sleeper(60))));
      expect((await control.all('pause', 'all of you')).map(({ paused }) => paused)).toEqual(Array(10).fill(true));
      expect((await control.all('play')).map(({ paused }) => paused)).toEqual(Array(10).fill(false));
      await control.all('kill', 'all of you');
      await until(async () => (await control.all('status')).length === 0, { what: 'their ends', timeout: 60_000 });
      for (const { id } of launched) expect(await state(id)).toBe('killed');
    });

    it('tells of every change after its commit, in order, with subjects that can be filtered (D8)', async () => {
      const heard: Broadcast[] = [];
      await communicator.listen([{ subject: 'state.#' }], (broadcast) => heard.push(broadcast));
      await drive();
      const { id, uuid } = await control.launch({ computer: 'localhost', command: ['sh', '-c', 'exit 3'] });
      const end = await until(() => heard.find(({ subject }) => subject === 'state.calcjob.running.finished'), {
        what: 'the end',
        timeout: 30_000,
      });
      expect(await state(id)).toBe('finished');
      expect(end).toMatchObject({
        sender: `process.${id}`,
        body: { type: 'process.state', process: id, uuid, data: { from: 'running', to: 'finished', exitStatus: 3 } },
      });
      expect(heard.map(({ subject }) => subject)).toEqual([
        'state.calcjob.created.waiting',
        'state.calcjob.waiting.running',
        'state.calcjob.running.finished',
      ]);
      const ids = heard.map(({ body }) => (body as { event: number }).event);
      expect(ids).toEqual([...ids].sort((a, b) => a - b));
    });

    it('one who waits hears of the end at once', async () => {
      await drive();
      const { id } = await control.launch(sleeper(2));
      await using news = new News(rig.profile, endsOf([id]));
      await inQueue(id);
      // Far longer than the job: only a broadcast can end this.
      const began = performance.now();
      while ((await rig.row(id)).ended_at === null) await news.wait(60_000, AbortSignal.timeout(60_000));
      expect(performance.now() - began).toBeLessThan(30_000);
    });

    it('wakes a driver that would look later', async () => {
      const { driver } = await drive();
      await until(async () => (await communicator.queueStatus(processQueue)).takers > 0, { what: 'the worker' });
      const computer = await rig.profile.store.selectFrom('computers').selectAll().executeTakeFirstOrThrow();
      await rig.submit(computer, { command: ['true'] });
      await control.hurry();
      await until(() => driver.engine.computerIds.length === 1, { what: 'its computer' });
    });

    it('counts the workers that are there, and one that ends is not counted', async () => {
      const first = await drive();
      await drive();
      const count = async () => (await presentWorkers(rig.profile.store, Date.now())).length;
      await until(async () => (await count()) === 2, { what: 'two workers' });
      await stop(first);
      expect(await count()).toBe(1);
    });

    it('another worker tells when the one that told is gone, and nothing is told twice', async () => {
      const heard: Json[] = [];
      await communicator.listen([{ subject: 'event.process.played' }], ({ body }) => void heard.push(body));
      const { id } = await rig.submit(
        await rig.profile.store.selectFrom('computers').selectAll().executeTakeFirstOrThrow(),
        { command: ['true'] },
      );
      const [first] = [await drive(), await drive()];
      await until(async () => (await state(id)) === 'finished', { what: 'its end', timeout: 30_000 });
      const { id: second } = await control.create({ computer: 'localhost', command: ['true'] });
      await control.play(second);
      await until(() => heard.length === 1, { what: 'the first word' });
      await stop(first);
      const { id: third } = await control.create({ computer: 'localhost', command: ['true'] });
      await control.play(third);
      await until(() => heard.length === 2, { what: 'the second word', timeout: 60_000 });
      await delay(300);
      expect(heard.map((body) => (body as { process: number }).process)).toEqual([second, third]);
    });
  });
}
