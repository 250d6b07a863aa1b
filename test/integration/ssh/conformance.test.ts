import { afterAll, beforeAll } from 'vitest';
import transport from '../../../transports/ssh/index.js';
import { transportConformance } from '../../conformance/transport.js';
import { type Sshd, startSshd } from '../../rigs/sshd.js';

const timeout = 20_000;
let sshd: Sshd;

beforeAll(async () => {
  sshd = await startSshd({ homeFiles: { '.bashrc': 'echo noise; printf noise >&2\n' } });
  await using connection = await transport.open(sshd.connection, { timeout });
  await connection.makeDirectory(`${sshd.home}/root`, { timeout });
});

afterAll(() => sshd?.stop());

transportConformance('ssh', async () => ({
  connection: await transport.open(sshd.connection, { timeout }),
  root: `${sshd.home}/root`,
}));
