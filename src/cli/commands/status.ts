import { hostname } from 'node:os';
import { releaseCommand } from '../../engine/computer-unavailable.js';
import { type ComputerView, computerView } from '../../engine/computer-view.js';
import { listComputers } from '../../engine/computers.js';
import { type BrokerView, brokerView } from '../../engine/control/broker-view.js';
import { presentWorkers } from '../../engine/control/presence.js';
import type { Profile } from '../../engine/profile.js';
import { leaseHolder } from '../../store/leases.js';
import { defineCommand, json } from '../command.js';
import { daemonLine, daemonOrTrouble, daemonTroubles, warnOfDifference } from '../daemon-text.js';
import { clock, counted } from '../process-text.js';
import { paint, print, printable, printJson } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: {},
  options: { json },
  examples: [['$0', 'how much is going on, and what stands in the way']],
  run: (given) =>
    withProfile(given, async (profile) => {
      const status = await read(profile);
      if (given.json) printJson(status);
      else show(status);
      return 0;
    }),
});

async function read(profile: Profile) {
  const { store, location, settings } = profile;
  const groups = await store
    .selectFrom('processes')
    .select((row) => ['state', 'stage', 'paused', 'exit_status', row.fn.countAll<number>().as('count')])
    .groupBy(['state', 'stage', 'paused', 'exit_status'])
    .execute();
  const processes = groups.map(({ state, stage, paused, exit_status: exitStatus, count }) => ({
    ...{ state, stage, paused: paused !== 0, exitStatus, count: Number(count) },
  }));
  const computers: ComputerView[] = [];
  for (const row of await listComputers(store)) computers.push(await computerView(store, row));
  const tick = await leaseHolder(store, 'tick', Date.now());
  const { daemon, trouble } = await daemonOrTrouble(location);
  return {
    home: location.home,
    profile: location.profile,
    store: settings.store ?? location.storeFile,
    broker: await brokerView(profile),
    workers: (await presentWorkers(store, Date.now())).map(({ host, pid }) => ({ host, pid })),
    processes,
    computers,
    daemon,
    daemonTrouble: trouble,
    tick: tick === undefined ? null : { pid: tick.pid, host: tick.host },
  };
}

function show(status: Awaited<ReturnType<typeof read>>): void {
  const { home, profile, store, broker, workers, processes, computers, tick, daemon } = status;
  print(`${paint.bold('home')}       ${printable(home)}${profile === 'default' ? '' : ` (profile ${profile})`}`);
  print(`${paint.bold('store')}      ${printable(store)}`);
  const counts = new Map<string, number>();
  for (const group of processes) {
    const failed = group.state === 'finished' && group.exitStatus !== 0;
    const word = failed
      ? 'failed'
      : [group.paused ? 'paused' : group.state, group.stage === 'run' ? '' : (group.stage ?? '')].join(' ').trim();
    counts.set(word, (counts.get(word) ?? 0) + group.count);
  }
  const text = [...counts].map(([word, count]) => `${count} ${word}`).join(', ');
  print(`${paint.bold('processes')}  ${text === '' ? 'none' : text}`);
  for (const computer of computers) print(`${paint.bold('computer')}   ${computerLine(computer, daemon !== null)}`);
  print(`${paint.bold('daemon')}     ${daemonText(status)}`);
  for (const line of workersElsewhere(workers)) print(`${paint.bold('elsewhere')}  ${printable(line)}`);
  print(`${paint.bold('broker')}     ${brokerText(broker)}`);
  if (tick !== null) print(`${paint.bold('pass')}       running (pid ${tick.pid} on ${tick.host})`);
}

function daemonText({ daemon, daemonTrouble }: Awaited<ReturnType<typeof read>>): string {
  if (daemonTrouble !== null) return paint.yellow(printable(daemonTrouble));
  if (daemon === null) return 'none (wherry daemon start)';
  warnOfDifference(daemon);
  return [daemonLine(daemon), ...daemonTroubles(daemon).map(paint.yellow)].join('; ');
}

/** `2 workers on login2`, for each other host. */
function workersElsewhere(workers: readonly { readonly host: string }[]): string[] {
  const hosts = new Map<string, number>();
  for (const { host } of workers) if (host !== hostname()) hosts.set(host, (hosts.get(host) ?? 0) + 1);
  return [...hosts].map(([host, count]) => `${counted(count, 'worker')} on ${host}`);
}

function brokerText({ kind, url, trouble, tasks }: BrokerView): string {
  const name = printable(url ?? kind);
  if (trouble !== null) return paint.yellow(`${name} cannot be used, work goes on without it: ${printable(trouble)}`);
  if (tasks === null) return `${name}, nobody listens`;
  const { waiting, parked, takers } = tasks;
  const parts = [`${counted(takers, 'worker')} take tasks`, `${waiting} wait`];
  if (parked > 0) parts.push(paint.yellow(`${parked} parked (wherry broker parked)`));
  return `${name}: ${parts.join(', ')}`;
}

function computerLine(view: ComputerView, daemonRuns: boolean): string {
  const { label, living, driver, hold, openAfter, openFailures, drainingSince, throttle } = view;
  const parts = [`${counted(living, 'process', 'processes')} not ended`];
  if (driver !== null) parts.push(`driven by pid ${driver.pid} on ${driver.host}`);
  else if (living > 0 && daemonRuns) parts.push('the daemon drives it when something is due');
  else if (living > 0) parts.push(paint.yellow('nothing drives it (wherry daemon start, or wherry tick)'));
  if (openAfter !== null) {
    parts.push(paint.yellow(`could not be reached (${counted(openFailures, 'time')}), next try ${clock(openAfter)}`));
  }
  if (throttle !== null && drainingSince === null) parts.push(`the next job waits for ${printable(throttle.reason)}`);
  if (drainingSince !== null) parts.push(paint.yellow(`is being drained (wherry computer enable ${label})`));
  if (hold !== null) {
    parts.push(paint.yellow(`held: ${printable(hold.message)} (${releaseCommand(label, hold.code)})`));
  }
  return `${label}: ${parts.join(', ')}`;
}
