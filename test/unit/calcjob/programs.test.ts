import { execFile, execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import direct from '../../../schedulers/direct/index.js';
import slurm from '../../../schedulers/slurm/index.js';
import { renderScript } from '../../../src/calcjob/script.js';
import { type CodeConfig, codeSchema } from '../../../src/config/code.js';
import { computerSchema } from '../../../src/config/computer.js';
import { type JobInput, jobSchema } from '../../../src/config/job.js';

const computers = { label: 'here', transport: 'local', scheduler: 'direct', workDirectory: '/scratch' };

/** Codes by their labels, as they would be stored. */
const codes: Record<string, Record<string, unknown>> = {
  pw: { computer: 'here', executable: '/apps/qe/bin/pw.x', prepend: 'module load qe', append: 'echo qe done' },
  ph: { computer: 'here', executable: '/apps/qe/bin/ph.x', mpi: false, prepend: 'module load phonons' },
  count: { folder: '/home/me/count', executable: 'bin/count it.sh', append: 'echo counted' },
  boxed: {
    ...{ computer: 'here', executable: 'pw.x', image: '/images/my qe.sif' },
    engine: ['singularity', 'exec', '--bind', '$SCRATCH:/scratch', '{image}'],
  },
  docked: {
    ...{ computer: 'here', executable: '/usr/bin/pw.x', image: 'qe:7.2', wrapParameters: true, doubleQuotes: true },
    engine: ['docker', 'run', '-i', '-v', '$PWD:/work', '-w', '/work', '{image}', 'sh', '-c'],
  },
  shell: { computer: 'here', executable: '/bin/sh' },
  printf: { computer: 'here', executable: '/usr/bin/printf', doubleQuotes: true },
};

interface Request {
  readonly job: Partial<JobInput>;
  readonly computer?: Record<string, unknown>;
  readonly directory?: string;
}

function script({ job, computer = {}, directory = '/scratch/job' }: Request, scheduler = direct): string {
  const checked = jobSchema.parse(job);
  const names = [checked.code, ...(checked.codes ?? []).map(({ code }) => code)].filter((name) => name !== undefined);
  const definitions = names.map((name): [string, CodeConfig] => [
    name,
    codeSchema.parse({ label: name, ...codes[name] }),
  ]);
  const config = computerSchema.parse({ ...computers, ...computer });
  const stored = { ...checked, codeDefinitions: Object.fromEntries(definitions) };
  return renderScript({ job: stored, computer: config, scheduler, jobName: 'n', directory });
}

/** A variable in the braces of a shell. */
const braced = (text: string) => `\${${text}}`;

/** What stands behind the lines that every script has. */
const programs = (request: Request) => script(request).split(' XFSZ\n')[1];

const mpirun = ['mpirun', '-n', '{totalTasks}'];
const parallel = { nodes: 1, tasksPerNode: 4 };

describe('what runs', () => {
  it('one code: its lines between those of the computer and of the job', () => {
    const job = { code: 'pw', arguments: ['-in', 'pw in.txt'], prepend: 'export A=1', append: 'rm -f scratch' };
    const computer = { prepend: 'module purge', append: 'echo bye' };
    expect(programs({ job: { ...job, environment: { OMP: '$x "y"' } }, computer })).toBe(
      [
        `export OMP='$x "y"'`,
        'module purge',
        'module load qe',
        'export A=1',
        "/apps/qe/bin/pw.x -in 'pw in.txt' > ./stdout.txt 2> ./stderr.txt",
        'wherry_status=$?',
        'rm -f scratch',
        'echo qe done',
        'echo bye',
        'exit "$wherry_status"',
        '',
      ].join('\n'),
    );
  });

  it('a portable code: by its place in the job directory', () => {
    expect(programs({ job: { code: 'count', arguments: ['$HOME'], stdin: 'in.txt', stderr: 'stdout.txt' } })).toBe(
      [
        `'./bin/count it.sh' '$HOME' < ./in.txt > ./stdout.txt 2>&1`,
        'wherry_status=$?',
        'echo counted',
        'exit "$wherry_status"',
        '',
      ].join('\n'),
    );
  });

  it('in a container: nothing is filled in unless its code says so', () => {
    expect(programs({ job: { code: 'boxed', arguments: ['-in', '$IN'] } })?.split('\n')[0]).toBe(
      "singularity exec --bind '$SCRATCH:/scratch' '/images/my qe.sif' pw.x -in '$IN' > ./stdout.txt 2> ./stderr.txt",
    );
  });

  it('in a container with all parameters as one word, under MPI', () => {
    const job = { code: 'docked', arguments: ['-in', '$IN file', "it's"], mpi: true, resources: parallel };
    expect(programs({ job, computer: { mpirun } })?.split('\n')[0]).toBe(
      'mpirun -n 4 docker run -i -v "$PWD:/work" -w /work qe:7.2 sh -c ' +
        `'/usr/bin/pw.x -in "$IN file" '\\''it'\\''\\'\\'''\\''s'\\''' > ./stdout.txt 2> ./stderr.txt`,
    );
  });

  it('several codes one after another: the first that fails ends it', () => {
    const job = {
      codes: [
        { code: 'pw', arguments: ['-in', 'scf.in'], stdout: 'scf.out' },
        { code: 'ph', arguments: ['-in', 'ph.in'], stdin: 'ph.in', stderr: 'ph.err' },
        { code: 'pw', arguments: ['-in', 'bands.in'], stdout: 'bands.out', stderr: 'bands.out', mpirunExtra: ['-v'] },
      ],
      mpirunExtra: ['--bind-to', 'core'],
      resources: parallel,
    };
    expect(programs({ job, computer: { mpirun, prepend: 'one', append: 'two' } })).toBe(
      [
        'one',
        'module load qe',
        'module load phonons',
        '{',
        '  mpirun -n 4 --bind-to core /apps/qe/bin/pw.x -in scf.in > ./scf.out &&',
        '  /apps/qe/bin/ph.x -in ph.in < ./ph.in 2> ./ph.err &&',
        '  mpirun -n 4 --bind-to core -v /apps/qe/bin/pw.x -in bands.in > ./bands.out 2>&1',
        '} > ./stdout.txt 2> ./stderr.txt',
        'wherry_status=$?',
        'echo qe done',
        'two',
        'exit "$wherry_status"',
        '',
      ].join('\n'),
    );
  });

  it('several codes at once', () => {
    const job = { codes: [{ code: 'pw' }, { code: 'count', stdout: 'c.txt' }], codesRun: 'parallel' as const };
    const appended = ['echo counted', 'echo qe done'];
    expect(programs({ job })).toBe(
      [
        'module load qe',
        '{',
        '  /apps/qe/bin/pw.x &',
        '  wherry_program_0=$!',
        `  './bin/count it.sh' > ./c.txt &`,
        '  wherry_program_1=$!',
        '  wherry_failed=',
        `  wait "$wherry_program_0" || wherry_failed=${braced('wherry_failed:-$?')}`,
        `  wait "$wherry_program_1" || wherry_failed=${braced('wherry_failed:-$?')}`,
        `  ( exit "${braced('wherry_failed:-0')}" )`,
        '} > ./stdout.txt 2> ./stderr.txt',
        'wherry_status=$?',
        ...appended,
        'exit "$wherry_status"',
        '',
      ].join('\n'),
    );
  });

  it('mpirun: every resource can be filled in, variables only where the computer says so', () => {
    const all = '{nodes},{tasksPerNode},{cpusPerTask},{gpusPerNode},{totalTasks},{memoryPerNode},{walltime}';
    const resources = { nodes: 2, tasksPerNode: 3, cpusPerTask: 5, memoryPerNode: '1GiB', walltime: '1h' };
    const job = { command: ['pw.x', '$A'], resources, mpirunExtra: ['$EXTRA'] };
    const first = (request: Request) => programs(request)?.split(' > ')[0];
    const words = ['srun', all, '$OPTIONS'];
    expect(first({ job, computer: { mpirun: words } })).toBe(
      "srun 2,3,5,0,6,1073741824,3600 '$OPTIONS' '$EXTRA' pw.x '$A'",
    );
    expect(first({ job, computer: { mpirun: words, doubleQuotes: true } })).toBe(
      `srun 2,3,5,0,6,1073741824,3600 "$OPTIONS" "$EXTRA" pw.x '$A'`,
    );
    const without = { job: { command: ['pw.x'], mpi: true }, computer: { mpirun: ['srun', '--time={walltime}'] } };
    expect(() => script(without)).toThrow('the mpirun of here needs walltime, which the job does not ask for');
    expect(() => computerSchema.parse({ ...computers, mpirun: ['-n', '{tasks}'] })).toThrow(/unknown placeholder/);
  });

  it('is text that every shell can read, whatever its words are', () => {
    const word = fc.string({
      unit: fc.constantFrom('a', '$', '{', '}', "'", '"', '`', '\\', '\n', '&', '(', ')', '#', ' '),
    });
    const stream = word.map((text) => `s${text.replace(/\n/g, '')}`);
    const call = fc.record({
      code: fc.constantFrom('pw', 'count', 'boxed', 'docked', 'printf'),
      arguments: fc.array(word),
    });
    const job = fc.record({
      codes: fc.array(call, { minLength: 1, maxLength: 4 }),
      codesRun: fc.constantFrom('serial' as const, 'parallel' as const),
      stdout: stream,
      environment: fc.record({ A: word, B: word }),
      environmentDoubleQuotes: fc.boolean(),
      mpirunExtra: fc.array(word, { maxLength: 2 }),
    });
    fc.assert(
      fc.property(job, fc.boolean(), (given, doubleQuotes) => {
        const request = {
          job: { ...given, resources: parallel },
          computer: { mpirun: [...mpirun, '$A'], doubleQuotes },
        };
        for (const shell of ['dash', 'bash']) execFileSync(shell, ['-n'], { input: script(request) });
      }),
      { numRuns: 40 },
    );
  });

  it('the whole of it, for Slurm', () => {
    const job = {
      ...{ code: 'pw', arguments: ['-in', 'pw.in'], hold: true, rerunnable: false, importEnvironment: false },
      environment: { PATH: '/opt/bin:$PATH' },
      environmentDoubleQuotes: true,
    };
    expect(script({ job }, slurm)).toMatchInlineSnapshot(`
      "#!/bin/bash
      #SBATCH --job-name=n
      #SBATCH --output=.wherry/scheduler-stdout.txt
      #SBATCH --error=.wherry/scheduler-stderr.txt
      #SBATCH --export=NONE
      #SBATCH --no-requeue
      #SBATCH --hold
      export SLURM_EXPORT_ENV=ALL
      cd -- /scratch/job || exit 1
      if ! ln -s "\${SLURM_JOB_ID:-unknown}" .wherry/claim 2>/dev/null && [ "$(readlink .wherry/claim)" != "\${SLURM_JOB_ID:-unknown}" ]; then
        echo "This directory belongs to another job: nothing was run." >&2
        exit 0
      fi
      [ ! -e .wherry/exit ] || rm -f .wherry/exit
      wherry_status=
      wherry_exit() {
        wherry_code=$?
        printf '%s\\n' "\${wherry_status:-$wherry_code}" > .wherry/exit
      }
      trap wherry_exit EXIT
      trap 'exit 129' HUP
      trap 'exit 130' INT
      trap 'exit 131' QUIT
      trap 'exit 138' USR1
      trap 'exit 140' USR2
      trap 'exit 142' ALRM
      trap 'exit 143' TERM
      trap 'exit 152' XCPU
      trap 'exit 153' XFSZ
      export PATH="/opt/bin:$PATH"
      module load qe
      /apps/qe/bin/pw.x -in pw.in > ./stdout.txt 2> ./stderr.txt
      wherry_status=$?
      echo qe done
      exit "$wherry_status"
      "
    `);
  });
});

describe.each(['#!/bin/sh', '#!/bin/bash'])('run under %s', (shebang) => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'wherry-programs-'));
    await mkdir(path.join(directory, '.wherry'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const text = (name: string) => readFile(path.join(directory, name), 'utf8');

  /** Exit code of the job. */
  async function run(job: Partial<JobInput>): Promise<number> {
    const file = path.join(directory, 'job.sh');
    await writeFile(file, script({ job, computer: { shebang }, directory }), { mode: 0o700 });
    const env = { PATH: process.env.PATH, WHERRY_DIRECT_ID: '7', WORD: 'two  words', DANGER: '$(touch pwned)' };
    const ended = await promisify(execFile)(file, [], { env, timeout: 60_000 }).catch(
      (error: { code: number }) => error,
    );
    return 'code' in ended ? ended.code : 0;
  }

  const call = (text: string, streams: { stdin?: string; stdout?: string } = {}) => ({
    ...{ code: 'shell', arguments: ['-c', text] },
    ...streams,
  });

  it('codes one after another stop at the first failure, and share the streams of the job', async () => {
    const steps = [call('echo one'), call('echo two >&2; echo 2', { stdout: 'two' }), call('echo three; exit 3')];
    expect(
      await run({ codes: [...steps, call('echo never > never; exit 4')], append: 'echo appended > appended' }),
    ).toBe(3);
    expect(await text('stdout.txt')).toBe('one\nthree\n');
    expect(await text('stderr.txt')).toBe('two\n');
    expect(await text('two')).toBe('2\n');
    expect(await text('appended')).toBe('appended\n');
    expect(await text('.wherry/exit')).toBe('3\n');
    await expect(text('never')).rejects.toThrow(/ENOENT/);
  });

  it('codes at once all run, and the first in their order that failed gives the exit code', async () => {
    // Each waits for the other, so that neither would end alone; the second fails first.
    const wait = (name: string) => `i=0; until [ -e ${name} ] || [ $i = 3000 ]; do i=$((i + 1)); sleep 0.01; done`;
    const steps = [
      call(`touch a; ${wait('b')}; ${wait('failed')}; exit 5`),
      call(`touch b; ${wait('a')}; touch failed; exit 6`),
      call('echo fine', { stdout: 'fine' }),
    ];
    expect(await run({ codes: steps, codesRun: 'parallel' })).toBe(5);
    expect(await text('fine')).toBe('fine\n');
    expect(await text('.wherry/exit')).toBe('5\n');
    expect(await run({ codes: [call('true'), call('true')], codesRun: 'parallel' })).toBe(0);
  });

  it('a stream that cannot be written is a failure, whatever runs', async () => {
    await mkdir(path.join(directory, 'taken'));
    for (const codesRun of ['serial', 'parallel'] as const) {
      expect(await run({ codes: [call('touch ran')], codesRun, stdout: 'taken' })).toBeGreaterThan(0);
      expect(await run({ codes: [call('true', { stdout: 'taken' }), call('true')], codesRun })).toBeGreaterThan(0);
      await expect(text('ran')).rejects.toThrow(/ENOENT/);
    }
  });

  it('double quotes fill in variables and run nothing', async () => {
    const words = [
      '$WORD',
      `${braced('WORD')}s`,
      '$DANGER',
      '$(touch pwned)',
      '`touch pwned`',
      '"; touch pwned; "',
      '\\$WORD',
    ];
    const odd = [
      '\\',
      '\\\\',
      '$',
      '$$',
      braced('WORD:-$(touch pwned)'),
      '*',
      "'",
      '!',
      '$1',
      '\\`touch pwned`',
      '\n$WORD\\',
    ];
    const environment = { FILLED: '<$WORD> $(touch pwned) \\$WORD' };
    const job = { code: 'printf', arguments: ['%s|', ...words, ...odd], environment, environmentDoubleQuotes: true };
    expect(await run({ ...job, append: 'printf %s "$FILLED" > filled' })).toBe(0);
    const filled = ['two  words', 'two  wordss', '$(touch pwned)', ...words.slice(3, 6), '$WORD'];
    expect((await text('stdout.txt')).split('|')).toEqual([...filled, ...odd.slice(0, -1), '\ntwo  words\\', '']);
    expect(await text('filled')).toBe('<two  words> $(touch pwned) $WORD');
    await expect(text('pwned')).rejects.toThrow(/ENOENT/);
  });
});
