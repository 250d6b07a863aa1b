import { defineTransport, type TransportDefinition, WherryError, z } from '../src/plugin.js';
import type { SimulatedCluster } from './cluster.js';
import { connect } from './connection.js';

/** A transport plugin whose one computer is this cluster. */
export function simulatedTransport(cluster: SimulatedCluster): TransportDefinition<Record<string, never>> {
  return defineTransport({
    name: 'simulated',
    connection: z.strictObject({}),
    defaults: { minPollInterval: 30_000, safeOpenInterval: 0 },
    gotoCommand: (_settings, directory) => `cd ${directory}`,
    async open(_settings, { timeout, signal }) {
      const { clock } = cluster;
      const fault = cluster.decide('open', '');
      const hangs = fault?.kind === 'hang';
      await clock.sleep(clock.now() + (hangs ? timeout : cluster.latency()), signal);
      if (signal?.aborted) throw new WherryError('aborted', 'the opening was stopped on request');
      if (hangs) throw new WherryError('timed-out', 'the simulated computer does not answer', { transient: true });
      if (fault?.kind === 'refused') throw new WherryError('connection-failed', fault.words, { transient: true });
      return connect(cluster);
    },
  });
}
