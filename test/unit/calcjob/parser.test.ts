import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeState } from '../../../src/calcjob/context.js';
import { parse } from '../../../src/calcjob/parse.js';
import type { ProcessRow } from '../../../src/store/tables.js';
import { insertProcess } from '../process/stored-process.js';
import { type TemporaryStore, temporaryStore } from '../store/temporary-store.js';

let rig: TemporaryStore;
let stop: AbortController;
beforeEach(async () => {
  rig = await temporaryStore();
  stop = new AbortController();
});
afterEach(() => rig[Symbol.asyncDispose]());

/** A process that has its results and a parser with this text. */
async function retrieved(text: string, commandExit = 0): Promise<ProcessRow> {
  const parser = path.join(rig.directory, 'count.mjs');
  await writeFile(parser, text);
  const row = await insertProcess(rig.store, {
    state: 'running',
    stage: 'parse',
    checkpoint: writeState({ end: { source: 'exit-file' }, commandExit }),
    inputs: JSON.stringify({ command: ['wc', '-l'], parser }),
  });
  const source = path.join(rig.directory, 'source');
  for (const [name, content] of [
    ['out/lines.txt', 'a\nb\nc\n'],
    ['.wherry/exit', '0\n'],
  ] as const) {
    await writeFile(source, content);
    const stored = await rig.repository.putFile(source);
    await rig.store
      .insertInto('files')
      .values({ process_id: row.id, role: 'outputs', path: name, ...stored, mode: 0o644 })
      .execute();
  }
  return row;
}

const parsed = async (text: string, commandExit = 0, timeout = 60_000) =>
  parse(await retrieved(text, commandExit), { ...rig, signal: stop.signal, timeout });

describe('the parser of a job', () => {
  it('reads the files of the results, and what it returns are outputs of the process', async () => {
    const transition = await parsed(`
      import { readFileSync } from 'node:fs';
      export default function parse({ exitStatus, files, inputs }) {
        const lines = readFileSync(files['out/lines.txt'], 'utf8').split('\\n').length - 1;
        return { outputs: { lines, exitStatus, names: Object.keys(files), command: inputs.command } };
      }`);
    expect(transition).toMatchObject({
      to: 'finished',
      exit: { status: 0 },
      outputs: { exitCode: 0, missing: [], lines: 3, exitStatus: 0, names: ['out/lines.txt'], command: ['wc', '-l'] },
    });
  });

  it.each<[string, number, string, object]>([
    ['nothing', 3, '', { status: 3, label: 'COMMAND_FAILED' }],
    ['a message alone', 3, 'return { exitMessage: "no energy" }', { status: 3, message: 'no energy' }],
    ['another status', 0, 'return { exitStatus: 300 }', { status: 300, label: 'PARSER', message: /status 300/ }],
    ['success of a command that says otherwise', 3, 'return { exitStatus: 0 }', { status: 0, label: '' }],
  ])('may return %s', async (_, commandExit, body, exit) => {
    const transition = await parsed(`export default () => { ${body} };`, commandExit);
    const { message, ...rest } = exit as { message?: string | RegExp };
    expect(transition).toMatchObject({ to: 'finished', exit: rest });
    if (message !== undefined) expect(transition.exit?.message).toMatch(message);
  });

  it.each<[string, string, RegExp]>([
    [
      'throws',
      'export default () => { throw new Error("no energy"); };',
      /^the parser \/.*count\.mjs failed: no energy$/,
    ],
    ['cannot be loaded', 'export default (', /could not be loaded/],
    ['has no default export', 'export const parse = 1;', /it exports no function default/],
    ['returns something else', 'export default () => 7;', /returned : .*expected object/],
    ['misspells', 'export default () => ({ output: {} });', /returned : Unrecognized key: "output"/],
    ['returns what is no JSON', 'export default () => ({ outputs: { a: [new Map()] } });', /returned outputs\.a/],
    ['returns a status that is none', 'export default () => ({ exitStatus: -1 });', /returned exitStatus/],
    ['takes a name', 'export default () => ({ outputs: { exitCode: 7 } });', /returned outputs\.exitCode: is the name/],
    ['returns too much', 'export default () => ({ outputs: { x: "x".repeat(2e6) } });', /no usable result/],
  ])('that %s excepts the process, and tells why', async (_, text, words) => {
    const transition = await parsed(text);
    expect(transition).toMatchObject({ to: 'excepted', exception: { code: 'computation-failed' } });
    expect(transition.exception?.message).toMatch(words);
    expect(transition.exception?.hint).toContain('wherry files get');
  });

  it('that hangs excepts the process at its time limit', async () => {
    const transition = await parsed('export default () => { for (;;); };', 0, 500);
    expect(transition).toMatchObject({ to: 'excepted', exception: { code: 'timed-out' } });
    expect(transition.exception?.message).toContain('did not end within 0.5 s');
  });

  it('that is missing excepts the process', async () => {
    const row = await retrieved('');
    const inputs = JSON.stringify({ command: ['true'], parser: path.join(rig.directory, 'gone.mjs') });
    const transition = await parse({ ...row, inputs }, { ...rig, signal: stop.signal });
    expect(transition.exception?.message).toMatch(/gone\.mjs could not be loaded/);
  });

  it('that is stopped ends nothing: another driver begins it anew', async () => {
    const started = path.join(rig.directory, 'started');
    const running = parsed(`
      import { writeFileSync } from 'node:fs';
      export default () => { writeFileSync(${JSON.stringify(started)}, 'yes'); for (;;); };`);
    const failure = expect(running).rejects.toMatchObject({ code: 'aborted' });
    await expect.poll(() => readFile(started, 'utf8').catch(() => ''), { timeout: 15_000 }).toBe('yes');
    stop.abort();
    await failure;
  });
});
