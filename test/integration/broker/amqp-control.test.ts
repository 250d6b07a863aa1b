import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import { writeProfileSettings } from '../../../src/config/profile-file.js';
import { writeSecrets } from '../../../src/config/secrets.js';
import { controlConformance } from '../../conformance/control.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';
import { type Rabbitmq, startRabbitmq } from '../../rigs/rabbitmq.js';

let server: Rabbitmq;
beforeAll(async () => {
  server = await startRabbitmq();
});
afterAll(() => server[Symbol.asyncDispose]());

controlConformance('RabbitMQ', async (): Promise<TestProfile> => {
  const rig = await startProfile();
  const name = randomUUID();
  await server.addVirtualHost(name);
  const settings = { ...rig.profile.settings, broker: `amqp://guest@127.0.0.1:${server.port}/${name}` };
  await writeSecrets(rig.profile.location, { broker: 'guest' });
  await writeProfileSettings(rig.profile.location, settings);
  return { ...rig, profile: { ...rig.profile, settings } };
});
