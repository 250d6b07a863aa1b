import { afterEach, describe, expect, it, vi } from 'vitest';
import { onSignals } from '../../../src/daemon/signals.js';

const orders = { stop: vi.fn(), reload: vi.fn() };
let handling: Disposable | undefined;
afterEach(() => {
  handling?.[Symbol.dispose]();
  vi.clearAllMocks();
});

const signal = (name: NodeJS.Signals) => process.emit(name, name);

describe('signals', () => {
  it.each(['SIGTERM', 'SIGINT', 'SIGQUIT'] as const)('%s stops', (name) => {
    handling = onSignals(orders, () => false);
    signal(name);
    expect(orders.stop).toHaveBeenCalledOnce();
    expect(orders.reload).not.toHaveBeenCalled();
  });

  it('SIGHUP replaces the workers, and stops when it is the terminal that has gone', () => {
    let lost = false;
    handling = onSignals(orders, () => lost);
    signal('SIGHUP');
    expect(orders.reload).toHaveBeenCalledOnce();
    expect(orders.stop).not.toHaveBeenCalled();
    lost = true;
    signal('SIGHUP');
    expect(orders.reload).toHaveBeenCalledOnce();
    expect(orders.stop).toHaveBeenCalledOnce();
  });

  it('are left alone afterwards', () => {
    const before = process.listenerCount('SIGHUP');
    onSignals(orders, () => false)[Symbol.dispose]();
    expect(process.listenerCount('SIGHUP')).toBe(before);
  });
});
