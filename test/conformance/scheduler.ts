import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ExecResult,
  InputError,
  type JobHeader,
  type JobInfo,
  jobStates,
  type SchedulerDefinition,
  type SettingName,
  WherryError,
} from '../../src/plugin.js';
import { resultWith } from './captures.js';

/** What the suite must know of a scheduler to try it: answers as it gives them. */
export interface SchedulerSamples {
  /** A value that the header accepts for each setting that the plugin declares, and the text that tells it there. */
  readonly settings: { readonly [Name in Exclude<SettingName, 'headerLines'>]?: readonly [JobHeader[Name], string] };
  /** Complete answers to `list`, each with at least one job. */
  readonly listings: readonly ExecResult[];
  /** A complete answer to `list` that says that there are no jobs. */
  readonly emptyListing: ExecResult;
  /** Answers to `list` that are none. */
  readonly failures: readonly ExecResult[];
  /** A complete listing with one job in the state of this word of the scheduler. */
  listingOf(word: string): ExecResult;
  /** A complete listing of so many jobs. */
  listingOfMany(count: number): ExecResult;
  /** An id as the scheduler gives them. */
  jobId(number: number): string;
}

const plain: JobHeader = { name: 'wherry-1-0a1b', resources: {}, stdout: '.wherry/out.txt', stderr: '.wherry/err.txt' };
const breaks = ['\n#SBATCH --begin=now', '\n#PBS -h', '\r\ntrue', '\0', '\ntrue'];

/** Tries any scheduler plugin on the promises of its contract. Call it at the top of a test file. */
export function describeScheduler(plugin: SchedulerDefinition, samples: SchedulerSamples): void {
  describe(`${plugin.name}: the contract of schedulers`, () => {
    describeHeader(plugin, samples);
    describeListing(plugin, samples);
    describeOutcomes(plugin);
    describeCommands(plugin, samples);
  });
}

function describeHeader(plugin: SchedulerDefinition, { settings }: SchedulerSamples): void {
  const lineCount = (job: JobHeader) => plugin.header(job).length;

  it('writes every setting that it declares, and knows a value for each', () => {
    const declared = plugin.settings.filter((name) => name !== 'headerLines');
    expect(Object.keys(settings).sort()).toEqual([...declared].sort());
    for (const [name, [value, text]] of Object.entries(settings)) {
      // What the header of a scheduler cannot say is said when it is submitted.
      const beginTime = name === 'beginTime' ? settings.beginTime?.[0] : undefined;
      const request = { ...{ name: plain.name, script: 's', directory: '/d', resources: {} }, beginTime };
      const { words } = plugin.submit({ ...request, workDirectory: '/w', options: {} });
      expect([...plugin.header({ ...plain, [name]: value }), ...words].join('\n')).toContain(text);
    }
  });

  it.each(['name', 'stdout', 'stderr', 'queue', 'account', 'qos', 'constraint'] as const)(
    'lets nobody add a line by %s',
    (field) => {
      for (const text of breaks) {
        const job: JobHeader = { ...plain, [field]: `a${text}` };
        const header = tryHeader(plugin, job);
        if (header === undefined) continue;
        expect(header.length).toBe(lineCount(plain));
        expect(header.join('')).not.toMatch(/[\n\r\0]/);
      }
    },
  );

  it('keeps header lines as they are, and lets none of them be two', () => {
    if (!plugin.settings.includes('headerLines')) return;
    expect(plugin.header({ ...plain, headerLines: ['#X one', '#X two'] }).slice(-2)).toEqual(['#X one', '#X two']);
    for (const text of breaks) {
      expect(() => plugin.header({ ...plain, headerLines: [`#X${text}`] })).toThrow(InputError);
    }
  });

  it('takes every name that we give', () => {
    const name = fc.stringMatching(/^wherry-\d{1,9}-[a-z0-9]{1,40}$/);
    fc.assert(fc.property(name, (value) => lineCount({ ...plain, name: value }) === lineCount(plain)));
  });

  it('takes any resources that its schema takes, line by line', () => {
    const resources = fc.record(
      {
        nodes: fc.integer({ min: 1, max: 1_000_000 }),
        tasksPerNode: fc.integer({ min: 1, max: 100_000 }),
        cpusPerTask: fc.integer({ min: 1, max: 100_000 }),
        gpusPerNode: fc.integer({ min: 1, max: 10_000 }),
        memoryPerNode: fc.integer({ min: 2 ** 20, max: 2 ** 50 }),
        walltime: fc.double({ min: 1, max: 315_360_000, noNaN: true }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(resources, (value) => {
        const checked = plugin.resources.safeParse(value);
        if (!checked.success) return;
        const header = plugin.header({ ...plain, resources: checked.data });
        expect(header.join('\n')).not.toMatch(/\r|\0|undefined|NaN|\d\.\d|e\+/);
        for (const line of header) expect(line).not.toContain('\n');
      }),
    );
  });

  it('refuses resources that it does not know', () => {
    expect(plugin.resources.safeParse({ nodes: 1, bananas: 2 }).success).toBe(false);
    expect(plugin.resources.safeParse({ nodes: 0 }).success).toBe(false);
    expect(plugin.resources.safeParse({}).success).toBe(true);
  });
}

function describeListing(plugin: SchedulerDefinition, samples: SchedulerSamples): void {
  it.each(samples.listings.map((result, index) => [index, result] as const))(
    'takes listing %i whole or not at all, wherever it is cut',
    (_, result) => {
      const whole = [...plugin.parseList(result)];
      expect(whole.length).toBeGreaterThan(0);
      for (const job of whole) expectJob(job);
      const lines = result.stdout.split('\n');
      for (let count = 0; count < lines.length; count++) {
        const jobs = tryList(plugin, { ...result, stdout: lines.slice(0, count).join('\n') });
        if (jobs !== undefined) expect(jobs).toEqual(whole);
      }
    },
  );

  it('reads an empty listing, and takes no output for none', () => {
    expect([...plugin.parseList(samples.emptyListing)]).toEqual([]);
    expect(tryList(plugin, resultWith({}))).toBeUndefined();
    expect(tryList(plugin, resultWith({ exitCode: 1 }))).toBeUndefined();
    expect(tryList(plugin, { ...samples.emptyListing, stdout: '', exitCode: null, signal: 'SIGKILL' })).toBeUndefined();
  });

  it('says of every failure that it will pass', () => {
    for (const failure of samples.failures) expect(tryList(plugin, failure)).toBeUndefined();
  });

  it.each(['BANANAS', '', 'constructor', '__proto__', 'toString', '?'])('calls the word %j unknown', (word) => {
    const [job] = [...plugin.parseList(samples.listingOf(word))];
    expect(job?.state).toBe('unknown');
    expect(job?.word).toBe(word);
  });

  it('survives garbage', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 400 }),
        fc.string(),
        fc.integer(),
        (stdout, stderr, exitCode) => {
          for (const job of tryList(plugin, resultWith({ stdout, stderr, exitCode })) ?? []) expectJob(job);
        },
      ),
    );
  });

  it('reads a hundred thousand jobs at once', () => {
    const result = samples.listingOfMany(100_000);
    const started = performance.now();
    expect([...plugin.parseList(result)]).toHaveLength(100_000);
    expect(performance.now() - started).toBeLessThan(10_000);
  });
}

function describeOutcomes(plugin: SchedulerDefinition): void {
  it('never throws at what a submission says, and is sure only of what was said', () => {
    const outcome = (fields: Partial<ExecResult>) => plugin.parseSubmit(resultWith(fields)).kind;
    expect(outcome({})).toBe('unknown');
    expect(outcome({ stdout: 'Welcome\n' })).toBe('unknown');
    expect(outcome({ exitCode: null, signal: 'SIGTERM' })).toBe('unknown');
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.integer(), (stdout, stderr, exitCode) => {
        const result = plugin.parseSubmit(resultWith({ stdout, stderr, exitCode }));
        if (result.kind === 'accepted') expect(exitCode).toBe(0);
      }),
    );
  });

  it('does not take silence for a cancelled job', () => {
    for (const fields of [{}, { exitCode: 1 }, { exitCode: 127, stderr: 'sh: command not found\n' }]) {
      expect(() => plugin.parseKill(resultWith(fields))).toThrow(WherryError);
    }
  });
}

function describeCommands(plugin: SchedulerDefinition, { jobId }: SchedulerSamples): void {
  const query = { user: 'user1', workDirectory: '/work', options: plugin.options.parse(undefined) };

  it('keeps command lines short for thousands of jobs', () => {
    const ids = Array.from({ length: 20_000 }, (_, number) => jobId(number + 1));
    for (const command of [
      plugin.list({ ...query, ids }),
      plugin.kill({ ...query, ids }),
      ...(plugin.accounting === undefined ? [] : [plugin.accounting({ ...query, ids, since: 0 })]),
    ]) {
      expect(command.words.join(' ').length).toBeLessThan(100_000);
      const given = command.words.join(' ') + (command.stdin ?? '');
      if (command.stdin !== undefined) expect(given).toContain(jobId(20_000));
    }
  });

  it('puts no id and no name into shell text', () => {
    for (const evil of ['1; touch /tmp/x', '$(id)', '`id`', "1'2", '1\n2']) {
      for (const ask of [
        () => plugin.list({ ...query, ids: [evil] }),
        () => plugin.kill({ ...query, ids: [evil] }),
        () => plugin.find({ ...query, name: evil, since: 0 }),
      ]) {
        const words = tryWords(ask);
        expect(words.some((word) => word !== evil && word.includes(evil))).toBe(false);
      }
    }
  });
}

function tryWords(ask: () => { words: readonly string[] }): readonly string[] {
  try {
    return ask().words;
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return [];
  }
}

function tryHeader(plugin: SchedulerDefinition, job: JobHeader): string[] | undefined {
  try {
    return plugin.header(job);
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return undefined;
  }
}

/** The jobs, or undefined when it was no answer; anything else that is thrown fails the test. */
function tryList(plugin: SchedulerDefinition, result: ExecResult): JobInfo[] | undefined {
  try {
    return [...plugin.parseList(result)];
  } catch (error) {
    expect(error).toBeInstanceOf(WherryError);
    expect(error).toMatchObject({ code: 'scheduler-unavailable', transient: true });
    return undefined;
  }
}

function expectJob(job: JobInfo): void {
  expect(job.id).not.toBe('');
  expect(jobStates).toContain(job.state);
  for (const time of [job.submittedAt, job.startedAt, job.endedAt]) {
    if (time !== undefined) expect(Number.isNaN(Date.parse(time))).toBe(false);
  }
}
