import { connect } from 'amqplib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { writeProfileSettings } from '../../../src/config/profile-file.js';
import { Driver } from '../../../src/engine/control/driver.js';
import { openCommunicator } from '../../../src/engine/control/open-communicator.js';
import { ProcessControl } from '../../../src/engine/control/process-control.js';
import { openProfile } from '../../../src/engine/profile.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';
import { type Rabbitmq, startRabbitmq } from '../../rigs/rabbitmq.js';
import { until } from '../../rigs/until.js';

let server: Rabbitmq;
let rig: TestProfile;
beforeEach(async () => {
  // A second where the default is half an hour: whoever holds a message longer is cut off.
  const settings = '[{rabbit, [{consumer_timeout, 1000}, {channel_tick_interval, 1000}]}].\n';
  server = await startRabbitmq({ files: { 'advanced.config': settings } });
  rig = await startProfile();
});
afterEach(async () => {
  await rig[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

/** How long until the broker closes the channel of somebody who does not acknowledge a message. */
async function patienceOfBroker(): Promise<number> {
  const connection = await connect(server.url);
  const channel = await connection.createChannel();
  const closed = new Promise<void>((resolve) => channel.once('error', () => resolve()));
  const { queue } = await channel.assertQueue('held');
  channel.sendToQueue(queue, Buffer.from('x'));
  const began = performance.now();
  await channel.consume(queue, () => undefined);
  await closed;
  await connection.close();
  return performance.now() - began;
}

it('a process may live far longer than the broker lets anybody hold a message', async () => {
  const patience = await patienceOfBroker();
  const settings = { ...rig.profile.settings, broker: `amqp://127.0.0.1:${server.port}` };
  await writeProfileSettings(rig.profile.location, settings);
  await using profile = await openProfile(rig.profile.location);
  await using communicator = await openCommunicator(profile);
  const problems: unknown[] = [];
  await using driver = await Driver.open(profile, { isWorker: true, onProblem: (error) => problems.push(error) });
  const stop = new AbortController();
  const driven = driver.engine.drive({ signal: stop.signal, until: () => false });
  let reconnections = 0;
  driver.communicator.onReconnected(() => reconnections++);

  const seconds = Math.ceil((3 * patience) / 1000);
  const control = new ProcessControl(profile, communicator);
  const { id } = await control.launch({ computer: 'localhost', command: ['sleep', String(seconds)] });
  const before = reconnections;
  await until(async () => (await rig.row(id)).ended_at !== null, { what: 'its end', timeout: 90_000 });
  expect(await rig.row(id)).toMatchObject({ state: 'finished', exit_status: 0 });
  expect(problems).toEqual([]);
  expect(reconnections).toBe(before);
  stop.abort();
  await driven;
});
