import { existsSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openProfile } from '../../../src/engine/profile.js';
import { type CommandLine, startCommandLine } from '../../rigs/command-line.js';
import { until } from '../../rigs/until.js';

let wherry: CommandLine;
beforeEach(async () => {
  wherry = await startCommandLine();
});
afterEach(() => wherry[Symbol.asyncDispose]());

async function changeComputers(changes: { hold: string | null }): Promise<void> {
  await using profile = await openProfile({ home: wherry.home });
  await profile.store.updateTable('computers').set(changes).execute();
}

describe('kill --force', () => {
  it('ends a process whose computer cannot be used, and names the job that may live on', async () => {
    const gate = path.join(wherry.folder, 'gate');
    const ended = path.join(wherry.folder, 'ended');
    const script = 'until [ -e "$0" ]; do sleep 0.05; done; : > "$1"';
    await wherry.succeed([
      'submit',
      '--computer',
      'localhost',
      '--label',
      'long',
      '--',
      'sh',
      '-c',
      script,
      gate,
      ended,
    ]);
    const jobId = await until(
      async () => {
        await wherry.succeed(['tick']);
        return (await wherry.list())[0]?.jobId;
      },
      { what: 'the job', timeout: 60_000 },
    );
    const message = 'the key was refused';
    await changeComputers({ hold: JSON.stringify({ code: 'authentication-refused', message, since: Date.now() }) });
    const asked = await wherry.run(['kill', '1', '--timeout', '1s']);
    expect(asked).toMatchObject({ exitCode: 1, text: '' });
    expect(asked.stderr).toContain(message);

    const forced = await wherry.run(['kill', '1', '--timeout', '1s', '--force']);
    expect(forced).toMatchObject({ exitCode: 0, text: 'process 1 (long) is killed\n' });
    expect(forced.stderr).toContain(`job ${jobId} (wherry-1-`);
    expect(forced.stderr).toContain('may live on at localhost');

    // It does live on, and its end changes nothing.
    await changeComputers({ hold: null });
    await wherry.write('gate', '');
    await until(async () => existsSync(ended), { what: 'the end of the job', timeout: 30_000 });
    await wherry.succeed(['tick']);
    expect(await wherry.list()).toMatchObject([{ state: 'killed', exitMessage: 'killed by its user' }]);
    expect(await wherry.succeed(['report', '1'])).toContain('killed by force');
  });
});
