/**
 * The program of the thread in which a worker runs code of users: the drivers of its lanes stand here, and are told by
 * the worker what to do. Code that never returns keeps this thread, and nothing else.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf, WherryError } from '../../errors.js';
import { currentProcess } from '../../process/process-stack.js';
import type { LaneTools } from '../driver-tools.js';
import { openProfile } from '../profile.js';
import {
  type CodeThreadData,
  errorOf,
  type FromCodeThread,
  type LaneAnswer,
  type LaneState,
  type ToCodeThread,
  wordsOf,
} from './code-thread-messages.js';
import { definitionsOf } from './definition-source.js';
import { LaneDriver } from './lane-driver.js';

const port = parentPort;
if (port === null) throw new Error('this is the program of a thread of a worker');
const tell = (message: FromCodeThread) => port.postMessage(message);

const drivers = new Map<number, LaneDriver>();
/** What each driver was told before is done before the next. */
const turns = new Map<number, Promise<void>>();

const { home, profile: name } = workerData as CodeThreadData;
const profile = await openProfile({ home, profile: name });
const definitions = definitionsOf(profile);
let isTelling = false;
const tools: LaneTools = {
  store: profile.store,
  repository: profile.repository,
  hooks: [{ onChange: (change) => tell({ type: 'changed', change }) }],
  now: Date.now,
  random: Math.random,
  wake: () => {
    if (isTelling) return;
    isTelling = true;
    // Many things end in one turn.
    setImmediate(() => {
      isTelling = false;
      tell({ type: 'woken', states: new Map([...drivers].map(([number, driver]) => [number, stateOf(driver)])) });
    });
  },
  storeTrouble: (error) => tell({ type: 'store-trouble', error: wordsOf(error) }),
};

port.on('message', ({ driver: number, order }: ToCodeThread) => {
  if (order.type === 'begin') {
    drivers.set(number, new LaneDriver(tools, order.lease, order.lane, definitions, order.resting));
    turns.set(number, Promise.resolve());
    return answer(number, {});
  }
  const driver = drivers.get(number);
  if (driver === undefined) return;
  // These do not wait for a step in progress, which they cut short.
  if (order.type === 'drain') driver.drain();
  if (order.type === 'stop') driver.abandon(errorOf(order.reason));
  const turn = (turns.get(number) ?? Promise.resolve()).then(async () => {
    try {
      if (order.type === 'stop') {
        await driver.stop(errorOf(order.reason));
        answer(number, {});
        drivers.delete(number);
        turns.delete(number);
      } else answer(number, order.type === 'step' ? { next: await driver.step() } : {});
    } catch (error) {
      answer(number, { error: wordsOf(error) });
    }
  });
  turns.set(number, turn);
});

function answer(number: number, outcome: Pick<LaneAnswer, 'next' | 'error'>): void {
  const driver = drivers.get(number);
  if (driver !== undefined) tell({ type: 'answer', driver: number, state: stateOf(driver), ...outcome });
}

function stateOf(driver: LaneDriver): LaneState {
  const { steps, mustSettle, holdsOn, stopped } = driver;
  return { steps, mustSettle, holdsOn, stopped: stopped.aborted ? wordsOf(stopped.reason) : undefined };
}

const endThread = process.exit.bind(process);
process.exit = (exitCode) => {
  throw new WherryError('computation-failed', `it called process.exit(${exitCode ?? ''}), which ends nothing here`);
};

// Thrown where nobody could catch it: in a timer, say. As far as it is known whose code that was, only that fails.
process.on('uncaughtException', (error) => {
  const reference = currentProcess();
  const isHeard = reference !== undefined && [...drivers.values()].some((driver) => driver.fail(reference.id, error));
  if (isHeard) return;
  tell({ type: 'problem', error: wordsOf(error, 'computation-failed') });
  // Whatever it has left undone is begun anew by another thread.
  endThread(1);
});

// A promise that fails and is forgotten harms nobody else; who wrote the code should hear of it.
process.on('unhandledRejection', (reason) => {
  const reference = currentProcess();
  const whose = reference === undefined ? 'a process' : `process ${reference.id} (${reference.name})`;
  const words = `a promise in the code of ${whose} failed, and nothing waits for it: ${messageOf(reason)}`;
  tell({ type: 'problem', error: wordsOf(new WherryError('computation-failed', words)) });
});
