import { createHash, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { InputFile } from '../../src/calcjob/create.js';
import { requestKill } from '../../src/engine/intents.js';
import type { ComputerRow } from '../../src/store/tables.js';
import type { TestProfile } from '../rigs/profile.js';
import { until } from '../rigs/until.js';

export interface LifeCycleRig extends AsyncDisposable {
  readonly profile: TestProfile;
  readonly computer: ComputerRow;
}

const sha256 = (content: Uint8Array) => createHash('sha256').update(content).digest('hex');

/** What every computer must do with calcjobs, whatever its transport and its scheduler. */
export function lifeCycle(name: string, open: () => Promise<LifeCycleRig>): void {
  describe(`the life cycle on ${name}`, () => {
    let rig: LifeCycleRig;
    let profile: TestProfile;
    let computer: ComputerRow;

    beforeAll(async () => {
      rig = await open();
      ({ profile, computer } = rig);
    });
    afterAll(() => rig?.[Symbol.asyncDispose]());

    async function inputs(files: Record<string, Uint8Array>): Promise<InputFile[]> {
      const directory = path.join(profile.directory, randomBytes(6).toString('hex'));
      await mkdir(directory);
      return Promise.all(
        Object.entries(files).map(async ([target, content], index) => {
          const source = path.join(directory, String(index));
          await writeFile(source, content);
          return { path: target, source, mode: 0o644 };
        }),
      );
    }

    async function outputs(id: number): Promise<Map<string, string>> {
      const rows = await profile.profile.store
        .selectFrom('files')
        .selectAll()
        .where('process_id', '=', id)
        .where('role', '=', 'outputs')
        .execute();
      return new Map(rows.filter((row) => !row.path.startsWith('.wherry/')).map((row) => [row.path, row.sha256]));
    }

    it('runs a command with stdin, stdout and stderr', async () => {
      const row = await profile.submit(
        computer,
        { command: ['sh', '-c', 'cat; echo oops >&2'], stdin: 'in', stdout: 'deep/out', stderr: 'err' },
        await inputs({ in: Buffer.from('hello\n') }),
      );
      const [ended] = await profile.drive([row]);
      expect(ended).toMatchObject({ state: 'finished', exit_status: 0, exit_message: '' });
      expect(await profile.output(row.id, 'deep/out')).toBe('hello\n');
      expect(await profile.output(row.id, 'err')).toBe('oops\n');
    });

    it('tells exit code 3', async () => {
      const row = await profile.submit(computer, { command: ['sh', '-c', 'exit 3'] });
      const [ended] = await profile.drive([row]);
      expect(ended).toMatchObject({ state: 'finished', exit_status: 3, exit_label: 'COMMAND_FAILED' });
    });

    it('gives environment, prepend and append to the job', async () => {
      const row = await profile.submit(computer, {
        command: ['sh', '-c', 'echo "$A|$B"'],
        environment: { A: '$(id) `id` "x" \'y\'\nz' },
        prepend: 'B=prepended; export B',
        append: 'echo appended > after',
        retrieve: ['after'],
      });
      const [ended] = await profile.drive([row]);
      expect(ended).toMatchObject({ state: 'finished', exit_status: 0 });
      expect(await profile.output(row.id, 'stdout.txt')).toBe('$(id) `id` "x" \'y\'\nz|prepended\n');
      expect(await profile.output(row.id, 'after')).toBe('appended\n');
    });

    it('carries 200 small files there and back, byte for byte', async () => {
      const files = Object.fromEntries(
        Array.from({ length: 200 }, (_, index) => [`folder ${index % 7}/file-${index}`, randomBytes(index * 40)]),
      );
      const row = await profile.submit(computer, { command: ['true'], retrieve: ['folder*/**'] }, await inputs(files));
      const [ended] = await profile.drive([row]);
      expect(ended).toMatchObject({ state: 'finished', exit_status: 0 });
      const got = await outputs(row.id);
      for (const [file, content] of Object.entries(files)) expect(got.get(file), file).toBe(sha256(content));
    });

    it('never executes odd names, and brings them back', async () => {
      const odd = [
        '$(touch pwned)',
        '`touch pwned`',
        "it's",
        '"quoted"',
        'two  words',
        '-n',
        '--help',
        'ünï 漢',
        'new\nline',
        '*',
      ];
      const files = Object.fromEntries(odd.map((file) => [file, Buffer.from(file)]));
      const row = await profile.submit(
        computer,
        {
          command: ['sh', '-c', 'for f; do cat "./$f" > "./copy of $f"; done; ls | grep -c pwned', 'sh', ...odd],
          label: odd.join(),
          retrieve: ['copy of *'],
        },
        await inputs(files),
      );
      const [ended] = await profile.drive([row]);
      expect(ended).toMatchObject({ state: 'finished', label: odd.join() });
      const got = await outputs(row.id);
      for (const file of odd) expect(got.get(`copy of ${file}`), file).toBe(sha256(Buffer.from(file)));
      // Two names hold the word, and so do their copies; a command that ran would have made a fifth entry.
      expect(await profile.output(row.id, 'stdout.txt')).toBe('4\n');
    });

    it('places what is retrieved, reports a plain name that is missing and no glob without match', async () => {
      const row = await profile.submit(computer, {
        command: ['sh', '-c', 'mkdir -p out/a/b && echo 1 > out/a/b/x.xml && echo 2 > out/y.xml && echo 3 > pw.out'],
        retrieve: [
          'pw.out',
          { from: 'out/**/*.xml', to: 'results', depth: 2 },
          { from: 'out', to: 'whole', depth: null },
          'no*match',
          'missing.txt',
        ],
      });
      const [ended] = await profile.drive([row]);
      expect(ended).toMatchObject({ exit_status: 11, exit_label: 'MISSING_OUTPUT' });
      expect(ended?.exit_message).toContain('missing.txt');
      expect(ended?.exit_message).not.toContain('no*match');
      expect([...(await outputs(row.id)).keys()].sort()).toEqual([
        'pw.out',
        'results/b/x.xml',
        'results/out/y.xml',
        'stderr.txt',
        'stdout.txt',
        'whole/out/a/b/x.xml',
        'whole/out/y.xml',
      ]);
    });

    it('kills a running job on the computer', async () => {
      const row = await profile.submit(computer, { command: ['sh', '-c', 'echo started; exec sleep 600'] });
      const killed = until(async () => (await profile.row(row.id)).scheduler_state === 'running', {
        what: 'the job to run',
        timeout: 30_000,
      }).then(async () => requestKill(profile.profile.store, await profile.row(row.id), 'by the test'));
      const [[ended]] = await Promise.all([profile.drive([row]), killed]);
      expect(ended).toMatchObject({ state: 'killed', exit_message: 'by the test' });
      expect(ended?.scheduler_state).not.toBe('running');
    });

    it('kills before anything was sent', async () => {
      const row = await profile.submit(computer, { command: ['true'] });
      await requestKill(profile.profile.store, row, 'too early');
      const [ended] = await profile.drive([row]);
      expect(ended).toMatchObject({ state: 'killed', job_id: null, remote_directory: null });
    });
  });
}
