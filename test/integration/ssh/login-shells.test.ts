import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import transport from '../../../transports/ssh/index.js';
import { canChooseLoginShell, startSshd } from '../../rigs/sshd.js';

const timeout = 20_000;
const noise = "echo noise; echo 'more noise'\n";
const startUpFiles = {
  '.bashrc': noise,
  '.profile': noise,
  '.zshenv': noise,
  '.cshrc': noise,
  '.tcshrc': noise,
  '.config/fish/config.fish': noise,
};
const shells = ['/bin/bash', '/bin/dash', '/bin/zsh', '/bin/tcsh', '/usr/bin/fish'].filter((shell) =>
  existsSync(shell),
);

describe.runIf(canChooseLoginShell).each(shells)('with the login shell %s and noisy start-up files', (loginShell) => {
  test('commands, odd names, input and bytes come through unharmed', async () => {
    await using sshd = await startSshd({ loginShell, homeFiles: startUpFiles });
    await using connection = await transport.open(sshd.connection, { timeout });
    expect(connection.home).toBe(sshd.home);
    const script = `cat <<'END'\n!! \\n $HOME 'quoted' "double" %d é\nEND\ncat\nexit 7`;
    const result = await connection.exec(script, { stdin: 'in', timeout });
    expect(result).toMatchObject({ stdout: `!! \\n $HOME 'quoted' "double" %d é\nin`, stderr: '', exitCode: 7 });
    const bytes = Buffer.from(Array.from({ length: 4096 }, (_, index) => index % 256));
    const file = `${sshd.home}/it's !odd \\ name\nof two lines`;
    await connection.write(file, bytes, { timeout });
    expect(await connection.read(file, { timeout, maxBytes: 10_000 })).toEqual(bytes);
    const long = await connection.exec(`${'# !filler\\\n'.repeat(20_000)}\necho long`, { timeout });
    expect(long).toMatchObject({ stdout: 'long\n', exitCode: 0 });
  });

  test('a command that is given up does not live on', async () => {
    await using sshd = await startSshd({ loginShell, homeFiles: startUpFiles });
    await using connection = await transport.open(sshd.connection, { timeout });
    const endless = connection.exec('echo $$ > pid; sleep 1000 & wait', { directory: sshd.home, timeout: 500 });
    await expect(endless).rejects.toMatchObject({ code: 'timed-out' });
    const gone = 'pid=$(cat pid); for i in $(seq 50); do pgrep -g $pid >/dev/null || exit 0; sleep 0.1; done; exit 1';
    expect(await connection.exec(gone, { directory: sshd.home, timeout })).toMatchObject({ exitCode: 0 });
  });
});

test.runIf(canChooseLoginShell)('an account without a shell is told from a broken connection', async () => {
  await using sshd = await startSshd({ loginShell: '/usr/sbin/nologin' });
  await expect(transport.open(sshd.connection, { timeout })).rejects.toMatchObject({
    code: 'connection-failed',
    transient: false,
    message: expect.stringMatching(/not available/),
  });
});
