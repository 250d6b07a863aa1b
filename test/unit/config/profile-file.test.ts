import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readProfileSettings, writeProfileSettings } from '../../../src/config/profile-file.js';
import { readSecrets, secretsFile, writeSecrets } from '../../../src/config/secrets.js';

let directory: string;
let settingsFile: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'wherry-profile-'));
  settingsFile = join(directory, 'profile.yaml');
});
afterEach(() => rm(directory, { recursive: true }));

describe('the settings of a profile', () => {
  it('are read as they were written, and only their owner may read them', async () => {
    const settings = { store: 'postgres://me@db/wherry', broker: 'amqp://mq/v', repository: '/shared' };
    await writeProfileSettings({ settingsFile }, settings);
    expect(await readProfileSettings({ settingsFile })).toEqual(settings);
    expect((await stat(settingsFile)).mode & 0o777).toBe(0o600);
  });

  it('tell everything that is wrong with them, with its place', async () => {
    const text = ['store: postgres://me:geheim@db/w', 'brocker: amqp://mq', 'repository: here', 'broker: http://mq'];
    await writeFile(settingsFile, text.join('\n'));
    const failure = readProfileSettings({ settingsFile });
    await expect(failure).rejects.toMatchObject({ code: 'bad-input', issues: expect.any(Array) });
    await expect(failure).rejects.toThrow(/:1:8 store: must not have a password in it/);
    await expect(failure).rejects.toThrow(/:2:1 unknown key "brocker" \(did you mean "broker"\?\)/);
    await expect(failure).rejects.toThrow(/:3:13 repository: must be an absolute directory/);
    await expect(failure).rejects.toThrow(/:4:9 broker: the URL of the broker must begin with amqp/);
    expect(await messageOf(failure)).not.toContain('geheim');
  });
});

describe('the modules of a profile', () => {
  const modules = async (...names: string[]) => {
    await writeFile(settingsFile, JSON.stringify({ modules: names }));
    return (await readProfileSettings({ settingsFile })).modules;
  };

  it('are files or packages', async () => {
    const names = ['./my-processes.ts', '../a b/c.mts', '/shared/x.cjs', 'processes', '@me/processes', '@me/p/more'];
    expect(await modules(...names)).toEqual(names);
  });

  it('are refused where they can be neither', async () => {
    const failure = modules('./folder', 'my processes', 'mine.ts', 'file:///x.js', './a\0.js', '@me', '');
    await expect(failure).rejects.toMatchObject({ code: 'bad-input' });
    const message = await messageOf(failure);
    for (const [index, words] of [
      'must be a file whose name ends with .js, .mjs, .cjs, .ts or .mts',
      'must be a path with ./ or / at its beginning, or the name of a package',
      'is taken for a package; a file has ./ or / at its beginning',
      'must be a path with ./ or /',
      'a NUL character cannot be used here',
      'must be a path with ./ or /',
      'must be a path with ./ or /',
    ].entries()) {
      expect(message).toContain(`modules[${index}]: ${words}`);
    }
  });
});

describe('the passwords of a profile', () => {
  it('come from a file that others cannot read, and the environment counts before it', async () => {
    await writeSecrets({ directory }, { store: 'one' });
    await writeSecrets({ directory }, { broker: 'two' });
    expect((await stat(secretsFile({ directory }))).mode & 0o777).toBe(0o600);
    expect(await readSecrets({ directory }, {})).toEqual({ store: 'one', broker: 'two' });
    expect(await readSecrets({ directory }, { WHERRY_STORE_PASSWORD: 'three', WHERRY_BROKER_PASSWORD: '' })).toEqual({
      store: 'three',
      broker: 'two',
    });
  });

  it('are none where there is no file', async () => {
    expect(await readSecrets({ directory }, {})).toEqual({});
  });

  it('are refused from a file that others may read', async () => {
    await writeSecrets({ directory }, { store: 'geheim' });
    await chmod(secretsFile({ directory }), 0o640);
    const failure = readSecrets({ directory }, {});
    await expect(failure).rejects.toMatchObject({ code: 'bad-input', hint: expect.stringContaining('chmod 600') });
    expect(await messageOf(failure)).not.toContain('geheim');
  });

  it('are not shown by an error about the file', async () => {
    await writeFile(secretsFile({ directory }), 'store: [geheim\n', { mode: 0o600 });
    expect(await messageOf(readSecrets({ directory }, {}))).not.toContain('geheim');
    await writeFile(secretsFile({ directory }), 'store: { geheim: 1 }\n');
    expect(await messageOf(readSecrets({ directory }, {}))).not.toContain('geheim');
    expect(await readFile(secretsFile({ directory }), 'utf8')).toContain('geheim');
  });
});

async function messageOf(failing: Promise<unknown>): Promise<string> {
  return failing.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: Error) => error.message,
  );
}
