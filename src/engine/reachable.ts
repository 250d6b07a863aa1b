import { hostname } from 'node:os';
import { WherryError } from '../errors.js';
import type { LoadedComputer } from './loaded-computer.js';

/** Another host is the one from which a computer can be reached. */
export class ReachableElsewhere extends WherryError {
  override readonly name = 'ReachableElsewhere';

  constructor(label: string, host: string) {
    super('connection-failed', `${label} can be reached from ${host} only, and this is ${hostname()}`, {
      hint: `run it there; or, if the host was renamed: wherry computer edit ${label}`,
    });
  }
}

/** Errors: ReachableElsewhere. */
export function expectReachable({ transport, connectionSettings, config }: LoadedComputer): void {
  const host = transport.onlyFrom?.(connectionSettings);
  if (host !== undefined && host !== hostname()) throw new ReachableElsewhere(config.label, host);
}
