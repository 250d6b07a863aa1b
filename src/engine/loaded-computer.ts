import type { CalcJobComputer } from '../calcjob/context.js';
import type { ComputerConfig } from '../config/computer.js';
import { checkComputer } from '../config/resolve-computer.js';
import type { TransportDefinition } from '../plugin/transport.js';
import type { ComputerRow } from '../store/tables.js';

/** A computer of the store with its two plugins loaded and its options checked. */
export interface LoadedComputer extends CalcJobComputer {
  readonly transport: TransportDefinition;
  /** The `connection` mapping as the transport's schema gave it. */
  readonly connectionSettings: unknown;
  readonly limits: EffectiveLimits;
}

/** Limits with their defaults filled in; intervals in milliseconds. */
export interface EffectiveLimits {
  readonly maxQueued: number;
  readonly maxRunning: number;
  readonly countForeignJobs: boolean;
  readonly submitPerMinute: number;
  readonly minPollInterval: number;
  readonly safeOpenInterval: number;
  readonly maxChannels: number;
}

/** Loads the plugins that a computer names. Errors: `plugin-missing`, `plugin-broken`, `bad-input`. */
export async function loadComputer(row: ComputerRow): Promise<LoadedComputer> {
  const config = JSON.parse(row.config) as ComputerConfig;
  const checked = await checkComputer(config);
  const { limits } = config;
  const { transport, scheduler, schedulerOptions, connection } = checked;
  const { defaults } = transport;
  return {
    row,
    config,
    transport,
    scheduler,
    schedulerOptions,
    connectionSettings: connection,
    limits: {
      maxQueued: limits.maxQueued ?? Number.POSITIVE_INFINITY,
      maxRunning: limits.maxRunning ?? Number.POSITIVE_INFINITY,
      countForeignJobs: limits.countForeignJobs ?? false,
      submitPerMinute: limits.submitPerMinute ?? Number.POSITIVE_INFINITY,
      minPollInterval: limits.minPollInterval ?? defaults.minPollInterval,
      safeOpenInterval: limits.safeOpenInterval ?? defaults.safeOpenInterval,
      maxChannels: limits.maxChannels ?? 4,
    },
  };
}

/** May the connection that was opened for one be used for the other? */
export function isSameConnection(one: LoadedComputer, other: LoadedComputer): boolean {
  const settings = ({ config }: LoadedComputer) => JSON.stringify([config.transport, config.connection]);
  return settings(one) === settings(other);
}
