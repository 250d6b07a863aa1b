import type { SchedulerDefinition } from '../plugin/scheduler.js';
import type { TransportDefinition } from '../plugin/transport.js';

type Members = Readonly<Record<string, 'function' | 'string' | 'number' | 'object' | 'schema' | 'list'>>;

const schedulerMembers: Members = {
  name: 'string',
  resources: 'schema',
  options: 'schema',
  settings: 'list',
  can: 'object',
  commands: 'list',
  jobIdVariable: 'string',
  settleTime: 'number',
  header: 'function',
  submit: 'function',
  parseSubmit: 'function',
  list: 'function',
  parseList: 'function',
  find: 'function',
  parseFind: 'function',
  kill: 'function',
  parseKill: 'function',
} satisfies Partial<Record<keyof SchedulerDefinition, Members[string]>>;

const transportMembers: Members = {
  name: 'string',
  connection: 'schema',
  defaults: 'object',
  gotoCommand: 'function',
  open: 'function',
} satisfies Record<Exclude<keyof TransportDefinition, 'onlyFrom'>, Members[string]>;

/** What keeps a value from being a scheduler plugin; empty when it is one. */
export function flawsOfScheduler(value: unknown): string[] {
  const flaws = missingMembers(value, schedulerMembers);
  const { accounting, parseAccounting } = (value ?? {}) as Partial<SchedulerDefinition>;
  if ((accounting === undefined) !== (parseAccounting === undefined)) {
    flaws.push('accounting and parseAccounting belong together');
  }
  return flaws;
}

/** What keeps a value from being a transport plugin; empty when it is one. */
export function flawsOfTransport(value: unknown): string[] {
  return missingMembers(value, transportMembers);
}

function missingMembers(value: unknown, members: Members): string[] {
  if (typeof value !== 'object' || value === null) return ['its default export is no plugin'];
  const record = value as Readonly<Record<string, unknown>>;
  return Object.entries(members)
    .filter(([name, wanted]) => !fits(record[name], wanted))
    .map(([name, wanted]) => `${name} must be ${wanted === 'object' ? 'an' : 'a'} ${wanted}`);
}

function fits(value: unknown, wanted: Members[string]): boolean {
  if (wanted === 'list') return Array.isArray(value);
  if (wanted === 'string') return typeof value === 'string' && value !== '';
  if (wanted === 'schema') return hasSafeParse(value);
  return typeof value === wanted && value !== null;
}

function hasSafeParse(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'safeParse' in value && typeof value.safeParse === 'function';
}
