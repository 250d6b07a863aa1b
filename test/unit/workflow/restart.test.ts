import { afterEach, beforeEach, describe, expect, expectTypeOf, it } from 'vitest';
import { Runner, run } from '../../../src/engine/control/runner.js';
import { play, requestKill } from '../../../src/engine/intents.js';
import { InputError } from '../../../src/errors.js';
import {
  type Data,
  defineRestartWorkflow,
  defineWorkflow,
  namespace,
  ProcessFailed,
  type WorkflowContext,
  z,
} from '../../../src/index.js';
import type { ProcessRow } from '../../../src/store/tables.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';
import { until } from '../../rigs/until.js';

/** Ends as it is told: with an exit code, well, by an error, or never. */
const Climb = defineWorkflow({
  name: 'restart.climb',
  inputs: z.object({
    height: z.number(),
    note: z.string().optional(),
    gear: namespace({ rope: z.number().default(1), shoes: z.string().default('old') }),
  }),
  outputs: z.object({ height: z.number(), note: z.string().optional() }),
  exitCodes: {
    TOO_LOW: { status: 310, message: 'only {height}' },
    NO_ROPE: { status: 320, message: 'there is no rope' },
  },
  async run(ctx, { height, note, gear }) {
    if (height === -1) throw new Error('fell');
    if (height === -2) await ctx.sleep(3_600_000);
    if (gear.rope === 0) ctx.exit('NO_ROPE');
    if (height < 10) ctx.exit('TOO_LOW', { height });
    return note === undefined ? { height } : { height, note };
  },
});

const asked: string[] = [];

/** Its handlers say which of them were asked, and climb higher where they are told to. */
const Patient = defineRestartWorkflow({
  name: 'restart.patient',
  of: Climb,
  exitCodes: { NO_HOPE: { status: 350, message: 'not after {tries}' } },
  handlers: {
    looks: {
      priority: 5,
      handle: ({ iteration }) => void asked.push(`looks ${iteration}`),
    },
    higher: {
      priority: 10,
      exitCodes: ['TOO_LOW'],
      handle({ inputs, result, iteration, ctx }) {
        expectTypeOf(inputs.gear.rope).toEqualTypeOf<number>();
        expectTypeOf(result.outputs.height).toEqualTypeOf<number | undefined>();
        expectTypeOf(result.data.height).toEqualTypeOf<Data<number> | undefined>();
        asked.push(`higher ${iteration}`);
        if (inputs.note === 'hopeless') ctx.exit('NO_HOPE', { tries: iteration });
        if (inputs.note === 'nothing') return undefined;
        return { inputs: { height: inputs.height + 4, gear: { shoes: 'new' } }, last: inputs.note === 'last' };
      },
    },
    lower: {
      exitCodes: [310],
      enabled: false,
      handle({ inputs }) {
        asked.push('lower');
        return { inputs: { height: inputs.height - 1 } };
      },
    },
    rope: {
      exitCodes: ['NO_ROPE'],
      handle({ inputs, iteration }) {
        asked.push(`rope ${iteration}`);
        return inputs.note === 'nothing' ? undefined : { inputs: { gear: { rope: 1 }, note: undefined } };
      },
    },
    converged: {
      exitCodes: [0],
      handle({ result, inputs }) {
        asked.push(`converged ${result.outputs.height}`);
        return inputs.note === 'summit' && inputs.height < 15 ? { inputs: { height: 15 } } : undefined;
      },
    },
  },
});

let test: TestProfile;
let runner: Runner;
beforeEach(async () => {
  asked.length = 0;
  test = await startProfile();
  runner = await Runner.open({ home: test.profile.location.home });
});
afterEach(async () => {
  await runner[Symbol.asyncDispose]();
  await test[Symbol.asyncDispose]();
});

async function endOf(ended: Promise<unknown>): Promise<{ status?: number; message?: string }> {
  const error: unknown = await ended.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ProcessFailed)) throw error ?? new Error('it ended well');
  const { exit } = error.result;
  return exit === null ? {} : { status: exit.status, message: exit.message };
}

async function children(): Promise<ProcessRow[]> {
  const { store } = test.profile;
  return store.selectFrom('processes').selectAll().where('name', '=', 'restart.climb').orderBy('id').execute();
}

async function inputsOf(row: ProcessRow | undefined): Promise<Record<string, number>> {
  const links = await test.profile.store
    .selectFrom('links')
    .selectAll()
    .where('process_id', '=', row?.id ?? 0)
    .where('type', '=', 'input')
    .execute();
  return Object.fromEntries(links.map(({ label, data_id }) => [label, data_id]));
}

describe('a workflow that tries again', () => {
  it('tries once what ends well', async () => {
    expect(await run(Patient, { height: 12 })).toEqual({ height: 12 });
    expect(asked).toEqual(['converged 12']);
    expect(await children()).toHaveLength(1);
  });

  it('changes inputs as handlers say, asked by their priority, and passes on all others as the data they are', async () => {
    expect(await run(Patient, { height: 4, note: 'x' })).toEqual({ height: 12, note: 'x' });
    expect(asked).toEqual(['higher 1', 'looks 1', 'higher 2', 'looks 2', 'converged 12']);
    const [first, second, third] = await Promise.all((await children()).map(inputsOf));
    expect(second?.note).toBe(first?.note);
    expect(second?.['gear.rope']).toBe(first?.['gear.rope']);
    expect(second?.height).not.toBe(first?.height);
    expect(third?.['gear.shoes']).not.toBe(first?.['gear.shoes']);
    expect((await test.eventTypes(1)).filter((type) => type === 'process.report')).toHaveLength(2);
  });

  it('asks handlers that come later what they would change of that, until one is the last', async () => {
    const both = { handlers: { lower: { enabled: true } } };
    expect(await run(Patient, { height: 7, note: 'x', restart: both })).toEqual({ height: 10, note: 'x' });
    expect(asked).toEqual(['higher 1', 'looks 1', 'lower', 'converged 10']);
    asked.length = 0;
    expect(await run(Patient, { height: 7, note: 'last', restart: both })).toEqual({ height: 11, note: 'last' });
    expect(asked).toEqual(['higher 1', 'converged 11']);
  });

  it('takes away what a handler says is undefined', async () => {
    expect(await run(Patient, { height: 12, note: 'x', gear: { rope: 0 } })).toEqual({ height: 12 });
    const [first, second] = await Promise.all((await children()).map(inputsOf));
    expect([first?.note, second?.note]).toEqual([expect.any(Number), undefined]);
  });

  it('tries again after a success that a handler is not content with', async () => {
    expect(await run(Patient, { height: 12, note: 'summit' })).toEqual({ height: 15, note: 'summit' });
    expect(asked).toEqual(['converged 12', 'converged 15']);
  });

  it('ends with the exit code of a handler', async () => {
    expect(await endOf(run(Patient, { height: 4, note: 'hopeless' }))).toEqual({ status: 350, message: 'not after 1' });
  });

  it('ends when there were too many tries', async () => {
    const ended = await endOf(run(Patient, { height: -100, restart: { maxIterations: 2 } }));
    expect(ended.status).toBe(401);
    expect(ended.message).toMatch(/^2 tries were not enough; the last was process 3: exit status 310, only -96$/);
    expect(await endOf(run(Patient, { height: -100 }))).toMatchObject({ status: 401 });
    expect(await children()).toHaveLength(2 + 5);
  });

  it('ends when a try is excepted or killed', async () => {
    expect(await endOf(run(Patient, { height: -1 }))).toEqual({ status: 301, message: 'process 2 is excepted: fell' });
    const ended = endOf(run(Patient, { height: -2 }));
    const child = await until(async () => (await children()).find(({ ended_at }) => ended_at === null), {
      what: 'a try that goes on',
    });
    await requestKill(test.profile.store, child, 'enough');
    expect(await ended).toEqual({ status: 302, message: `process ${child.id} was killed: enough` });
    expect(asked).toEqual([]);
  });
});

describe('a failure that no handler answers', () => {
  const height = 4;
  const note = 'nothing';

  it('ends it', async () => {
    const ended = await endOf(run(Patient, { height, note }));
    expect(ended).toEqual({
      status: 402,
      message: 'no handler had an answer to the end of process 2: exit status 310, only 4',
    });
    expect(asked).toEqual(['higher 1', 'looks 1']);
  });

  it('may be tried once more, and ends it the second time in a row', async () => {
    const ended = await endOf(run(Patient, { height, note, restart: { onUnhandled: 'restart-once' } }));
    expect(ended.status).toBe(402);
    expect(await children()).toHaveLength(2);
  });

  it('is not the second in a row when another was handled between', async () => {
    const fails: (number | 'rope')[] = [];
    const Moody = defineWorkflow({
      name: 'restart.moody',
      inputs: z.object({ n: z.number() }),
      outputs: z.object({ n: z.number() }),
      exitCodes: { UNKNOWN: { status: 300, message: '' }, KNOWN: { status: 301, message: '' } },
      async run(ctx, { n }) {
        const tries = await ctx.step('count', () => fails.push(n));
        if (tries < 4) ctx.exit(tries === 2 ? 'KNOWN' : 'UNKNOWN');
        return { n };
      },
    });
    const Calm = defineRestartWorkflow({
      name: 'restart.calm',
      of: Moody,
      handlers: { known: { exitCodes: ['KNOWN'], handle: () => ({}) } },
    });
    expect(await run(Calm, { n: 1, restart: { onUnhandled: 'restart-once' } })).toEqual({ n: 1 });
    expect(fails).toHaveLength(4);
  });

  it('may pause it, until somebody plays it', async () => {
    const { store } = test.profile;
    const ended = run(Patient, { height, note: 'nothing', restart: { onUnhandled: 'pause', maxIterations: 1 } });
    ended.catch(() => undefined);
    const paused = async () => {
      const rows = await test.profile.store.selectFrom('processes').select('paused').where('id', '=', 1).execute();
      return rows[0]?.paused === 1;
    };
    await until(paused, { what: 'the workflow to be paused' });
    const row = await test.row(1);
    expect(row.paused_reason).toMatch(/^no handler has an answer: try 1 of 1, process 2: exit status 310/);
    expect(await test.eventTypes(1)).toContain('process.paused');
    await play(store, row);
    await until(async () => (await children()).length === 2 && (await paused()), { what: 'another pause' });
    await requestKill(store, await test.row(1), 'it is hopeless');
    await expect(ended).rejects.toThrow('it is hopeless');
    expect(await children()).toHaveLength(2);
  });
});

describe('what is said of the handlers', () => {
  it('changes their order', async () => {
    await run(Patient, {
      height: 7,
      restart: { handlers: { looks: { priority: 11 }, converged: { enabled: false } } },
    });
    expect(asked).toEqual(['looks 1', 'higher 1']);
  });

  it('is refused, with everything else that is wrong, before anything is stored', async () => {
    const restart = { maxIterations: 0, onUnhandled: 'cry', handlers: { hihger: { enabled: false }, looks: 1 } };
    const refused: unknown = await run(Patient, { restart } as never).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(InputError);
    const paths = (refused as InputError).issues.map(({ path, message }) => `${path}: ${message}`).sort();
    expect(paths).toEqual([
      'height: is missing',
      'restart.handlers.looks: must be a mapping, not 1',
      'restart.handlers: unknown key "hihger" (did you mean "higher"?)',
      'restart.maxIterations: must be at least 1',
      'restart.onUnhandled: must be one of "abort", "pause", "restart-once", not "cry"',
    ]);
    expect(await children()).toHaveLength(0);
  });

  it('is typed, as are the inputs of the process', () => {
    type Given = Parameters<typeof run<typeof Patient>>[1];
    expectTypeOf<Given['height']>().toEqualTypeOf<number | Data<number>>();
    type Restart = NonNullable<Given['restart']>;
    expectTypeOf<Exclude<Restart['handlers'], Data | undefined>>().toHaveProperty('higher');
    // @ts-expect-error there is no such handler
    expectTypeOf<Exclude<Restart['handlers'], Data | undefined>>().toHaveProperty('nobody');
    const dataOf = async (ctx: WorkflowContext) => (await ctx.submit(Patient, { height: 1 }).result()).data;
    expectTypeOf<Awaited<ReturnType<typeof dataOf>>['height']>().toEqualTypeOf<Data<number>>();
    expectTypeOf<Awaited<ReturnType<typeof run<typeof Patient>>>>().toEqualTypeOf<{
      height: number;
      note?: string | undefined;
    }>();
  });
});

describe('inputs for handlers', () => {
  const Ambitious = defineRestartWorkflow({
    name: 'restart.ambitious',
    of: Climb,
    inputs: z.object({ goal: z.number(), by: namespace({ each: z.number().default(1) }) }),
    handlers: {
      goal: {
        exitCodes: [0],
        handle({ own, inputs }) {
          expectTypeOf(own).toExtend<{ goal: number; by: { each: number } }>();
          return inputs.height < own.goal ? { inputs: { height: inputs.height + own.by.each } } : undefined;
        },
      },
    },
  });

  it('stand beside those of the process, which does not see them', async () => {
    expect(await run(Ambitious, { height: 20, goal: 25, by: { each: 3 } })).toEqual({ height: 26 });
    const [first] = await Promise.all((await children()).map(inputsOf));
    expect(Object.keys(first ?? {}).sort()).toEqual(['gear.rope', 'gear.shoes', 'height']);
    // @ts-expect-error the goal is missing
    await expect(run(Ambitious, { height: 20 })).rejects.toThrow('goal: is missing');
  });
});

describe('inputs that do not go together', () => {
  const Span = defineWorkflow({
    name: 'restart.span',
    inputs: z
      .object({ from: z.number(), to: z.number() })
      .refine(({ from, to }) => from < to, { path: ['to'], error: 'must come after from' }),
    outputs: z.object({}),
    run: async () => ({}),
  });
  const Wide = defineRestartWorkflow({
    name: 'restart.wide',
    of: Span,
    inputs: z.object({ least: z.number(), most: z.number() }).refine(({ least, most }) => least < most, 'is empty'),
    handlers: {},
  });

  it('are refused before anything is stored, those of the process and those for handlers', async () => {
    const refused: unknown = await run(Wide, { from: 2, to: 1, least: 4, most: 3 }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(InputError);
    expect((refused as InputError).issues).toMatchObject([
      { path: 'to', message: 'must come after from' },
      { path: '', message: 'is empty' },
    ]);
    expect(await run(Wide, { from: 1, to: 2, least: 3, most: 4 })).toEqual({});
    const rows = await test.profile.store.selectFrom('processes').select('name').orderBy('id').execute();
    expect(rows.map(({ name }) => name)).toEqual(['restart.wide', 'restart.span']);
  });
});

describe('a definition', () => {
  const handle = () => undefined;

  it('is refused for exit codes that the process does not have', () => {
    const handlers = { typo: { exitCodes: ['TOO_HIGH' as never], handle } };
    expect(() => defineRestartWorkflow({ name: 'restart.typo', of: Climb, handlers })).toThrow(
      'the handler typo is for TOO_HIGH, which is no exit code of restart.climb',
    );
  });

  it('is refused where the process takes what the workflow takes itself', () => {
    const Taken = defineWorkflow({
      name: 'restart.taken',
      inputs: z.object({ restart: z.number(), bold: z.boolean() }),
      outputs: z.object({}),
      run: async () => ({}),
    });
    const inputs = z.object({ bold: z.boolean() });
    const define = () => defineRestartWorkflow({ name: 'restart.of-taken', of: Taken, inputs, handlers: {} });
    expect(define).toThrow('the input bold is one of restart.taken and of the inputs for handlers');
    expect(define).toThrow('the input restart is one of restart.taken and of every workflow that tries again');
  });

  it('excepts the workflow when a handler gives no answer that can be understood', async () => {
    const Confused = defineRestartWorkflow({
      name: 'restart.confused',
      of: Climb,
      handlers: { confused: { handle: () => ({ input: {} }) as never } },
    });
    await expect(run(Confused, { height: 1 })).rejects.toThrow('the handler confused gave input');
  });

  it('excepts the workflow when a handler gives inputs that the process refuses', async () => {
    const Wrong = defineRestartWorkflow({
      name: 'restart.wrong',
      of: Climb,
      handlers: { wrong: { handle: () => ({ inputs: { gear: { rope: 'long' as never } } }) } },
    });
    await expect(run(Wrong, { height: 1 })).rejects.toThrow(/gear\.rope: must be a number/);
    expect(await children()).toHaveLength(1);
  });
});
