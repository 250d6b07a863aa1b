import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { ClosingLine } from './test/rigs/closing-line.js';

/** Files that start a Slurm of their own, with its database and its nodes. */
const onSlurm = [
  'test/integration/slurm/**/*.test.ts',
  'test/integration/limits/**/*.test.ts',
  'test/integration/life-cycle/slurm-ssh.test.ts',
  'test/integration/docs/readme.test.ts',
  'test/integration/daemon/drain.test.ts',
];

/** Several hosts, some of them lost, and hundreds of jobs: these wait for leases. `npm run test:hosts`, not `npm test`. */
const ofHosts = ['test/integration/hosts/**/*.test.ts', 'test/integration/daemon/load.test.ts'];

/** Whatever asks the store is asked of PostgreSQL as well. */
const onPostgres = ['store', 'process', 'engine'].map((room) => `test/unit/${room}/**/*.test.ts`);

/** These are about SQLite itself: how its file is opened, and what happens when its disk is full. */
const aboutSqlite = ['test/unit/store/store.test.ts', 'test/unit/store/sqlite-space.test.ts'];

/**
 * These are about files and threads, take their time, and ask the store nothing that others do not; or their moments are
 * those of a store that answers at once.
 */
const onSqliteOnly = [
  'engine/long-work',
  'process/compute',
  'process/spec/*',
  'store/repository',
  'engine/limits',
  'engine/transport-queue',
  'engine/job-manager',
  'engine/code-thread-driver',
  'engine/control/embedded',
  'engine/graph/layout',
  'engine/graph/pictures',
].map((name) => `test/unit/${name}.test.ts`);

/** Examples and documentation import what users would. */
const alias = { 'wherry/plugin': sourceOf('plugin'), wherry: sourceOf('index') };

function sourceOf(name: string): string {
  return fileURLToPath(new URL(`./src/${name}.ts`, import.meta.url));
}

export default defineConfig({
  resolve: { alias },
  test: {
    // Most tests wait more than they compute.
    maxWorkers: 3,
    // Files share the modules of their worker: to load them anew for each took more time than the tests themselves.
    isolate: false,
    reporters: ['default', new ClosingLine()],
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 20_000 } },
      {
        extends: true,
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          exclude: ['test/faults/postgres*.test.ts'],
          testTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'postgres',
          include: [...onPostgres, 'test/integration/store/postgres*.test.ts', 'test/faults/postgres*.test.ts'],
          exclude: [...aboutSqlite, ...onSqliteOnly],
          globalSetup: ['test/rigs/postgres-project.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'slurm',
          include: onSlurm,
          globalSetup: ['test/rigs/packages.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // After the others: a Slurm that has to share its processors with them is late.
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          exclude: [...onSlurm, ...ofHosts, 'test/integration/store/postgres*.test.ts'],
          globalSetup: ['test/rigs/packages.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'hosts',
          include: ofHosts,
          globalSetup: ['test/rigs/packages.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
