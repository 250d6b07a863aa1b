import { readFileSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HookInput } from '../../../src/daemon/messages.js';
import { execute } from '../../rigs/command.js';
import { until } from '../../rigs/until.js';
import { type DaemonRig, pidOf, startDaemonRig } from '../daemon/rig.js';

let rig: DaemonRig;
let page: string;
beforeEach(async () => {
  rig = await startDaemonRig();
  page = await readFile('docs/daemon.md', 'utf8');
});
afterEach(() => rig[Symbol.asyncDispose]());

/** The first block of this language on the page that has these words. */
function block(language: string, words: string): string {
  const blocks = [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))];
  const found = blocks.map(([, text = '']) => text).find((text) => text.includes(words));
  if (found === undefined) throw new Error(`the page has no ${language} with "${words}"`);
  return found;
}

describe('the page on the daemon', () => {
  it('has settings that are accepted, and a hook that writes down what happens', async () => {
    const { wherry } = rig;
    await mkdir(rig.directory, { recursive: true, mode: 0o700 });
    await writeFile(path.join(rig.directory, 'profile.yaml'), block('yaml', 'onStatus'), { mode: 0o600 });
    await wherry.succeed(['daemon', 'start'], { environment: { HOME: wherry.folder } });
    const lines = () => {
      const text = readFileSync(path.join(wherry.folder, 'wherry-events.jsonl'), { encoding: 'utf8', flag: 'a+' });
      return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as HookInput]));
    };
    const [worker] = await rig.ready(1);
    const { stopTimeout, hookFailure } = await rig.status();
    expect({ stopTimeout, hookFailure }).toEqual({ stopTimeout: 60_000, hookFailure: null });
    await until(() => lines().at(-1)?.event.type === 'worker-ready', { what: 'the hook for a ready worker' });
    expect(lines()[0]?.event.type).toBe('daemon-started');
    process.kill(pidOf(worker), 'SIGKILL');
    const ended = await until(() => lines().find(({ event }) => event.type === 'worker-ended'), { what: 'the hook' });
    expect(ended).toMatchObject({
      event: { worker: 1, asked: false, reason: 'signal SIGKILL' },
      profile: 'default',
      status: { wanted: 1, state: 'running' },
    });
    await wherry.succeed(['daemon', 'stop']);
    expect(lines().at(-1)).toMatchObject({ event: { type: 'daemon-stopping' }, status: { state: 'stopping' } });
    const example = JSON.parse(block('json', '"event"')) as HookInput;
    expect(Object.keys(example).sort()).toEqual(Object.keys(ended).sort());
    expect(Object.keys(example.event).sort()).toEqual(Object.keys(ended.event).sort());
  });

  it('has a script that sends a mail when workers end again and again, and only then', async () => {
    const { wherry } = rig;
    const mail = await wherry.write(
      'bin/mail',
      `#!/bin/sh\necho "$@" > "${wherry.folder}/mail"\ncat >> "${wherry.folder}/mail"\n`,
    );
    await chmod(mail, 0o755);
    const script = await wherry.write('tell-me', block('sh', 'breaker-opened'));
    const tell = (type: string) =>
      execute(['sh', script], {
        input: `${JSON.stringify({ event: { type, reason: 'no memory' }, status: {} })}\n`,
        environment: { PATH: `${path.dirname(mail)}:${process.env.PATH}`, USER: 'me' },
      });
    expect((await tell('worker-ended')).exitCode).toBe(0);
    await expect(readFile(path.join(wherry.folder, 'mail'))).rejects.toMatchObject({ code: 'ENOENT' });
    expect((await tell('breaker-opened')).exitCode).toBe(0);
    const sent = await readFile(path.join(wherry.folder, 'mail'), 'utf8');
    expect(sent).toMatch(/^-s Wherry: no worker stays me\n.*no memory/);
  });

  it('names every event that there is', async () => {
    const source = await readFile('src/daemon/messages.ts', 'utf8');
    const declaration = /export type DaemonEvent =([\s\S]*?);\n\n/.exec(source)?.[1] ?? '';
    const types = [...declaration.matchAll(/type: '([\w-]+)'/g)].map(([, type]) => type);
    expect(types.length).toBeGreaterThan(5);
    for (const type of types) expect(page).toContain(`\`${type}\``);
  });
});
