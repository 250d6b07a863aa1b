import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ExecResult } from '../../../src/plugin.js';
import { readCaptures } from '../../conformance/captures.js';
import { type PbsStandIn, startPbsStandIn } from '../../rigs/pbs.js';
import { until } from '../../rigs/until.js';
import { alive } from '../direct/processes.js';
import { start } from '../direct/queue.js';

type Tree = { readonly [key: string]: unknown };

let root: string;
let home: string;
let pbs: PbsStandIn;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'wherry-pbs-'));
  home = await mkdtemp(join(root, 'home-'));
  pbs = await startPbsStandIn({ directory: join(root, 'pbs') });
  const ok = '#!/bin/bash\n#PBS -N ok\n#PBS -l walltime=00:10:00\necho fine\n';
  await writeFile(join(home, 'pok.sh'), ok);
  await writeFile(
    join(home, 'plong.sh'),
    '#!/bin/bash\n#PBS -N longjob\n#PBS -l select=1:ncpus=2:mem=300mb,walltime=00:20:00\nsleep 600\n',
  );
  await writeFile(join(home, 'pfail.sh'), '#!/bin/bash\n#PBS -N fail\necho oops >&2\nexit 7\n');
});
afterEach(async () => {
  await pbs.stop();
  await rm(root, { recursive: true, force: true });
});

const sh = (script: string): Promise<ExecResult> =>
  start({ words: ['sh', '-c', script] }, { directory: home, environment: pbs.environment }).result;

async function submit(words: string): Promise<string> {
  const { stdout, stderr, exitCode } = await sh(`qsub ${words}`);
  expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
  return stdout.trim();
}

const jobOf = (result: ExecResult, id: string): Tree => {
  const jobs = (JSON.parse(result.stdout) as { Jobs?: Record<string, Tree> }).Jobs;
  const job = jobs?.[id];
  if (job === undefined) throw new Error(`no job ${id} in ${result.stdout}`);
  return job;
};

const show = async (id: string) => jobOf(await sh(`qstat -x -f -F json ${id}`), id);
const inState = (id: string, state: string) =>
  until(
    async () => {
      const job = await show(id);
      return job.job_state === state && job;
    },
    { what: `state ${state} of ${id}` },
  );

/** Names and kinds of values, in their order. */
function shape(value: unknown, path = ''): readonly string[] {
  if (typeof value !== 'object' || value === null) return [`${path}: ${typeof value}`];
  return Object.entries(value as Tree).flatMap(([key, inner]) => shape(inner, `${path}/${key}`));
}

describe('the commands of the stand-in against captures', () => {
  const refusals = readCaptures('pbspro/refusals.txt');
  const unknown = ['bad dependency', 'bad array range'];
  const alone = [...refusals.values()].filter(
    ({ title }) => !unknown.includes(title) && !title.startsWith('queue limit'),
  );

  test.each(alone)('qsub: $title', async ({ command, result }) => {
    const seen = await sh(command);
    expect(seen.stderr).toBe(result.stderr);
    expect(seen.exitCode).toBe(result.exitCode);
    expect(seen.stdout).toMatch(result.stdout === '' ? /^$/ : /^\d+\.pbshead\n$/);
  });

  test('qsub: a queue with a limit', async () => {
    await submit('-q limited plong.sh');
    const { command, result } = refusals.take('queue limit, 2nd (max_queued u:PBS_GENERIC=1)');
    const { stdout, stderr, exitCode } = result;
    expect(await sh(command)).toMatchObject({ stdout, stderr, exitCode });
  });

  test('qstat: a running, a queued, an ended and an unknown job', async () => {
    const listing = readCaptures('pbspro/listing.txt');
    const long = await submit('plong.sh');
    const wide = await submit('-l select=1:ncpus=64 pok.sh');
    const done = await submit('pok.sh');
    await inState(long, 'R');
    await inState(done, 'F');
    const all = listing.take('all with history and array').result;
    const known = (id: string) => shape(jobOf(all, id)).filter((line) => !line.startsWith('/depend'));
    expect(shape(await show(long))).toEqual(known('5.pbshead'));
    expect(shape(await show(wide))).toEqual(known('12.pbshead'));
    expect(shape(await show(done))).toEqual(known('0.pbshead'));
    expect((await show(wide)).comment).toBe('Can Never Run: Insufficient amount of resource: ncpus (R: 64 A: 6 T: 8)');
    const lacking = await sh('qstat -x -f -F json 999999');
    const expected = listing.take('unknown job').result;
    const undated = (text: string) => text.replace(/"timestamp":\t\d+/, '');
    expect(undated(lacking.stdout)).toBe(undated(expected.stdout));
    expect(lacking).toMatchObject({ stderr: expected.stderr, exitCode: expected.exitCode });
    expect((await sh(`qstat -x -f -F json ${done} 999999`)).exitCode).toBe(153);
    expect(await sh(`qstat -f ${done}`)).toMatchObject({
      stdout: '',
      stderr: `qstat: ${done} Job has finished, use -x or -H to obtain historical job information\n`,
      exitCode: 35,
    });
    const spaced = (text: string) => text.split('\n').map((line) => /^\t*("\w+":\t)?/.exec(line)?.[0]);
    const running = listing.take('running').result.stdout.replace(/.*"depend".*\n/, '');
    expect(spaced((await sh(`qstat -f -F json ${long}`)).stdout).slice(5)).toEqual(spaced(running).slice(5));
  });

  test('qstat -f and qdel in text', async () => {
    const cancel = readCaptures('pbspro/cancel.txt');
    const long = await submit('plong.sh');
    await inState(long, 'R');
    expect(await sh(`qdel ${long}`)).toMatchObject({ stdout: '', stderr: '', exitCode: 0 });
    const ended = await inState(long, 'F');
    expect(ended).toMatchObject({ substate: 91, Exit_status: 143 });
    const names = (text: string) => [...text.matchAll(/^ {4}([\w.]+) = /gm)].map((match) => match[1]);
    const captured = names(cancel.take('deleted running job afterwards').result.stdout);
    expect(names((await sh(`qstat -x -f ${long}`)).stdout)).toEqual(captured.filter((name) => name !== 'depend'));
    expect(await sh(`qdel ${long}`)).toMatchObject({ stderr: `qdel: Job has finished ${long}\n`, exitCode: 35 });
    for (const title of ['unknown', 'garbage']) {
      const { command, result } = cancel.take(title);
      const { stdout, stderr, exitCode } = result;
      expect(await sh(command)).toMatchObject({ stdout, stderr, exitCode });
    }
    const wide = await submit('-l select=1:ncpus=64 pok.sh');
    await sh(`qstat ${wide}`);
    await sh(`qdel 999999 ${wide}`);
    const deleted = await inState(wide, 'F');
    expect(shape(deleted)).toEqual(expect.arrayContaining(['/history_timestamp: number', '/comment: string']));
    expect(deleted).not.toHaveProperty('Exit_status');
  });

  test('a server that is down', async () => {
    const faults = readCaptures('pbspro/faults.txt');
    await pbs.setFault('down');
    for (const program of ['qstat', 'qsub', 'qdel']) {
      const { command, result } = faults.take(`server down: ${program}`);
      const { stdout, stderr, exitCode } = result;
      expect(await sh(command)).toMatchObject({ stdout, stderr, exitCode });
    }
  });
});

describe('the jobs of the stand-in', () => {
  test('run in the home folder, with what PBS says in the environment, and give their output at the end', async () => {
    await writeFile(
      join(home, 'job.sh'),
      '#!/bin/sh\n#PBS -o sub/out -e sub/err\necho "$PBS_JOBID $PBS_O_WORKDIR $A"; pwd; echo oops >&2\n',
    );
    await sh('mkdir -p sub');
    const job = await submit("-v A='x y' job.sh");
    const ended = await inState(job, 'F');
    const [first, second] = (await readFile(join(home, 'sub', 'out'), 'utf8')).split('\n');
    expect(first).toBe(`${job} ${home} x y`);
    expect(second).toBe(ended.jobdir);
    expect(await readFile(join(home, 'sub', 'err'), 'utf8')).toBe('oops\n');
    expect(ended).toMatchObject({ Exit_status: 0, Output_Path: `pbshead:${home}/sub/out`, Stageout_status: 1 });
  });

  test('end with their code, by a signal, by the walltime', async () => {
    const failed = await submit('pfail.sh');
    await writeFile(join(home, 'kill.sh'), '#!/bin/bash\nkill -9 $$\n');
    const killed = await submit('kill.sh');
    const late = await submit('-l walltime=1 plong.sh');
    expect(await inState(failed, 'F')).toMatchObject({ Exit_status: 7, substate: 93 });
    expect(await inState(killed, 'F')).toMatchObject({ Exit_status: 137 });
    const over = await inState(late, 'F');
    expect(over).toMatchObject({ Exit_status: -29, substate: 93 });
    expect(over.comment).toMatch(/ and exceeded resource walltime$/);
    expect(await readFile(join(home, `longjob.e${Number.parseInt(late, 10)}`), 'utf8')).toContain('exceeded limit 1');
  }, 20_000);

  test('wait for processors in their order, and are found by name', async () => {
    const first = await submit('-l select=1:ncpus=8 plong.sh');
    const second = await submit('-N other pok.sh');
    expect(await inState(second, 'Q')).toMatchObject({
      comment: 'Not Running: Insufficient amount of resource: ncpus (R: 1 A: 0 T: 8)',
    });
    expect((await sh(`qselect -x -u ${userInfo().username} -N other`)).stdout).toBe(`${second}\n`);
    await sh(`qdel ${first}`);
    expect(await inState(second, 'F')).toMatchObject({ Exit_status: 0 });
  });

  test('are queued although the reply was lost', async () => {
    await pbs.setFault('hang-after-accept');
    expect((await sh('timeout 1 qsub -N lost pok.sh')).exitCode).toBe(124);
    await pbs.setFault(undefined);
    const id = (await sh(`qselect -x -u ${userInfo().username} -N lost`)).stdout.trim();
    expect(await inState(id, 'F')).toMatchObject({ Job_Name: 'lost' });
    await pbs.setFault('hang');
    expect((await sh('timeout 0.5 qstat')).exitCode).toBe(124);
    await pbs.setFault(undefined);
  });

  test('are gone once it is stopped', async () => {
    await writeFile(join(home, 'job.sh'), 'setsid sleep 600 & echo $! >pid; wait\n');
    const id = await submit('job.sh');
    const { session_id: session } = await until(
      async () => {
        const job = await show(id);
        return job.session_id !== undefined && job;
      },
      { what: 'the session of the job' },
    );
    await pbs.stop();
    expect(await alive(Number(session))).toBe(false);
  });
});
