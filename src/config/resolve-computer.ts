import type { InputIssue } from '../errors.js';
import { InputError } from '../errors.js';
import type { JobSettings, Resources, SchedulerDefinition, SettingName } from '../plugin/scheduler.js';
import type { TransportDefinition } from '../plugin/transport.js';
import type { ComputerConfig } from './computer.js';
import { issueAt, issuesError, type Origin } from './issues.js';
import type { Job } from './job.js';
import { loadScheduler, loadTransport } from './plugins.js';
import { validate } from './validate.js';

/** A computer with its plugins loaded and its settings checked by them. */
export interface ResolvedComputer {
  readonly config: ComputerConfig;
  readonly scheduler: SchedulerDefinition;
  readonly transport: TransportDefinition;
  /** What the transport's schema made of `connection`; goes to its `open` and `gotoCommand`. */
  readonly connection: unknown;
  /** What the scheduler's schema made of `schedulerOptions`; the `options` of its queries. */
  readonly schedulerOptions: unknown;
}

const nowhere: Origin = { source: '' };

/** Loads the plugins of a computer and lets them check their parts of it. One InputError tells all that is wrong. */
export async function checkComputer(config: ComputerConfig, origin: Origin = nowhere): Promise<ResolvedComputer> {
  const scheduler = await loadScheduler(config.scheduler);
  const transport = await loadTransport(config.transport);
  const issues: InputIssue[] = [];
  const connection = collect(issues, () =>
    validate(config.connection, transport.connection, origin, { prefix: ['connection'] }),
  );
  const schedulerOptions = collect(issues, () =>
    validate(config.schedulerOptions, scheduler.options, origin, { prefix: ['schedulerOptions'] }),
  );
  collect(issues, () => checkResources(config.resources ?? {}, scheduler, origin));
  if (issues.length > 0) throw issuesError(origin.source, issues);
  return { config, scheduler, transport, connection, schedulerOptions };
}

/** Checks that the scheduler can express what the job asks for; gives the resources as the plugin's schema types them. */
export function checkJob(
  job: Pick<Job, 'resources'> & JobSettings,
  scheduler: SchedulerDefinition,
  origin: Origin = nowhere,
): Resources {
  const issues: InputIssue[] = [];
  const resources = collect(issues, () => checkResources(job.resources, scheduler, origin));
  for (const name of settingNames) {
    if (isAsked(name, job[name]) && !scheduler.settings.includes(name))
      issues.push(issueAt(origin, [name], cannot(scheduler, name), 'key'));
  }
  if (issues.length > 0 || resources === undefined) throw issuesError(origin.source, issues);
  return resources;
}

function checkResources(asked: Job['resources'], scheduler: SchedulerDefinition, origin: Origin): Resources {
  const unknownKey = (what: string) => cannot(scheduler, what);
  return validate(defined(asked), scheduler.resources, origin, { prefix: ['resources'], unknownKey });
}

function cannot(scheduler: SchedulerDefinition, what: string): string {
  return `the scheduler ${scheduler.name} cannot express ${what}`;
}

/** What a job asks for, and what its computer says of the rest. */
export function withDefaultResources(asked: Job['resources'], config: ComputerConfig): Job['resources'] {
  return { ...config.resources, ...defined(asked) };
}

function defined(asked: Job['resources']): Job['resources'] {
  return Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined));
}

const settingNames: readonly SettingName[] = [
  'queue',
  'account',
  'qos',
  'constraint',
  'headerLines',
  'rerunnable',
  'mail',
  'hold',
  'beginTime',
  'exclusive',
  'importEnvironment',
];

/** What asks for nothing out of the ordinary can be had everywhere. */
function isAsked(name: SettingName, value: JobSettings[SettingName]): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === 'boolean') return name === 'importEnvironment' ? !value : value;
  return value !== undefined;
}

/** Runs a check and keeps its issues, so that those of several checks are told together. */
function collect<Value>(issues: InputIssue[], check: () => Value): Value | undefined {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    issues.push(...error.issues);
    return undefined;
  }
}
