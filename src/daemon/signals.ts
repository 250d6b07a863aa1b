import { closeSync, constants, openSync } from 'node:fs';

/** What a signal can ask of a daemon. */
export interface SignalOrders {
  stop(): void;
  reload(): void;
}

/** Tells whether the terminal that this program had has gone away. */
export type TerminalLost = () => boolean;

/**
 * TERM, INT and QUIT stop. HUP replaces the workers, unless it comes because the terminal has gone away in which the
 * daemon runs: then nobody would see or stop it any more, and it ends.
 */
export function onSignals(orders: SignalOrders, terminalLost: TerminalLost): Disposable {
  const stop = () => orders.stop();
  const hangUp = () => (terminalLost() ? orders.stop() : orders.reload());
  const actions = [
    ['SIGTERM', stop],
    ['SIGINT', stop],
    ['SIGQUIT', stop],
    ['SIGHUP', hangUp],
  ] as const;
  for (const [name, action] of actions) process.on(name, action);
  return {
    [Symbol.dispose]: () => {
      for (const [name, action] of actions) process.off(name, action);
    },
  };
}

/** Looks at the terminal of this program: now, and whenever it is asked whether that has been lost. */
export function watchTerminal(): TerminalLost {
  const had = hasTerminal();
  return () => had && !hasTerminal();
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', constants.O_RDWR | constants.O_NOCTTY));
    return true;
  } catch {
    return false;
  }
}
