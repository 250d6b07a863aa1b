import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startRabbitmq } from '../test/rigs/rabbitmq.js';
import { address, type Opening, openBy, queue } from './broker-programs.js';
import { type Figure, type Measurement, ratios } from './measurement.js';
import { kiwipyIsThere, measureKiwipy } from './peers/kiwipy.js';

const rounds = Number(process.env.WHERRY_BENCH_ROUNDS ?? 5);
/** A task or call is as large as one that wakes a worker. */
const body = { process: 12_345, text: 'x'.repeat(64) };

/** What one round gives for one broker: tasks per second, and milliseconds of each call. */
export interface BrokerRound {
  readonly oneByOne: number;
  readonly pipelined: number;
  readonly idleCalls: readonly number[];
  readonly busyCalls: readonly number[];
}

const counts = { oneByOne: 300, pipelined: 3_000, calls: 1_000, busyCalls: 300, warmUp: 50, inFlight: 32 };

/** Tasks and calls between two processes of one profile over the brokers there are, and over kiwipy beside them. */
export const broker: Measurement = {
  name: 'broker',
  title: 'tasks and calls between two processes',
  async run() {
    await using rabbitmq = await startRabbitmq();
    const directory = await mkdtemp(join(tmpdir(), 'wherry-bench-broker-'));
    const peer = await kiwipyIsThere();
    const ours: BrokerRound[] = [];
    const embedded: BrokerRound[] = [];
    const kiwipy: BrokerRound[] = [];
    for (let round = 0; round < rounds; round++) {
      ours.push(await measureBroker({ kind: 'amqp', options: { url: rabbitmq.url, prefix: `wherry.${round}` } }));
      if (peer) kiwipy.push(await measureKiwipy(rabbitmq.url, round, counts));
      embedded.push(await measureBroker({ kind: 'embedded', options: { directory } }));
    }
    await rm(directory, { recursive: true, force: true });
    const version = (await rabbitmq.control('version')).trim();
    return {
      setUp: [
        `RabbitMQ ${version} on the loopback, its data on the disk of ${tmpdir()}; durable queues, persistent tasks`,
        `one process sends ${counts.oneByOne} tasks one by one, then ${counts.pipelined} with ${counts.inFlight} in flight, ` +
          'each confirmed by the broker; another takes them, 32 at a time, and acknowledges them meanwhile',
        `${counts.calls} calls one after another, and ${counts.busyCalls} while ${counts.inFlight} tasks are in flight`,
        peer
          ? 'kiwipy 0.9.0 with its thread communicator, as AiiDA uses it, on the same RabbitMQ in the same run; its tasks ' +
            'in flight come from as many threads'
          : 'kiwipy was skipped: Python or the package is not there',
        `${rounds} rounds of each in turn, with new processes; ratios are taken round by round`,
      ],
      figures: [
        ...figuresOf('RabbitMQ', ours),
        ...figuresOf('embedded', embedded),
        ...(peer ? [...figuresOf('kiwipy', kiwipy), ...comparison(ours, kiwipy)] : []),
      ],
    };
  },
};

/** One round over one broker: opens a communicator here and another one in a process of its own. */
async function measureBroker(opening: Opening): Promise<BrokerRound> {
  await using here = await openBy(opening);
  await using _peer = await startPeer(opening);
  const send = () => here.sendTask(queue, body);
  const call = () => here.call(address, 'echo', body, { timeout: 60_000 });
  for (let count = 0; count < counts.warmUp; count++) await Promise.all([send(), call()]);
  const oneByOne = await perSecond(counts.oneByOne, 1, send);
  const pipelined = await perSecond(counts.pipelined, counts.inFlight, send);
  // Whatever is still in the queue would disturb the calls; to look is to wait for a moment.
  while ((await here.queueStatus(queue)).waiting > 0);
  const idleCalls = await timesOf(counts.calls, call);
  let busy = true;
  const load = Array.from({ length: counts.inFlight }, async () => {
    while (busy) await send();
  });
  const busyCalls = await timesOf(counts.busyCalls, call);
  busy = false;
  await Promise.all(load);
  return { oneByOne, pipelined, idleCalls, busyCalls };
}

async function startPeer(opening: Opening): Promise<AsyncDisposable> {
  const program = fileURLToPath(new URL('./broker-peer.js', import.meta.url));
  const child = spawn(process.execPath, [program, JSON.stringify(opening)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const ready = once(child.stdout, 'data');
  await Promise.race([ready, ended.then(([code]) => Promise.reject(new Error(`the peer ended with ${code}`)))]);
  return {
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await ended;
    },
  };
}

async function perSecond(count: number, inFlight: number, work: () => Promise<unknown>): Promise<number> {
  let left = count;
  const began = performance.now();
  const lane = async () => {
    while (left-- > 0) await work();
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return (count / (performance.now() - began)) * 1000;
}

async function timesOf(count: number, work: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const began = performance.now();
    await work();
    times.push(performance.now() - began);
  }
  return times;
}

function figuresOf(name: string, all: readonly BrokerRound[]): Figure[] {
  const each = (label: string, unit: Figure['unit'], value: (round: BrokerRound) => number): Figure => ({
    label: `${name}: ${label}`,
    unit,
    samples: all.map(value),
  });
  return [
    each('confirmed tasks, one by one', 'tasks/s', (round) => round.oneByOne),
    each(`confirmed tasks, ${counts.inFlight} in flight`, 'tasks/s', (round) => round.pipelined),
    each('calls, p50', 'ms', (round) => percentile(round.idleCalls, 0.5)),
    each('calls, p99', 'ms', (round) => percentile(round.idleCalls, 0.99)),
    each('calls while tasks are sent, p50', 'ms', (round) => percentile(round.busyCalls, 0.5)),
    each('calls while tasks are sent, p99', 'ms', (round) => percentile(round.busyCalls, 0.99)),
  ];
}

function comparison(ours: readonly BrokerRound[], theirs: readonly BrokerRound[]): Figure[] {
  const speed = (label: string, value: (round: BrokerRound) => number): Figure => ({
    label: `RabbitMQ against kiwipy: ${label}`,
    unit: 'x',
    samples: ratios(ours.map(value), theirs.map(value)),
    goal: { kind: 'at least', value: 1 },
  });
  return [
    speed('tasks one by one', (round) => round.oneByOne),
    speed('tasks in flight', (round) => round.pipelined),
    speed('speed of calls, p50', (round) => 1 / percentile(round.idleCalls, 0.5)),
    speed('speed of calls, p99', (round) => 1 / percentile(round.idleCalls, 0.99)),
    speed('speed of calls while tasks are sent, p99', (round) => 1 / percentile(round.busyCalls, 0.99)),
  ];
}

function percentile(times: readonly number[], share: number): number {
  const sorted = [...times].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
