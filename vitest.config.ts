import { defineConfig } from 'vitest/config';
import { ClosingLine } from './test/rigs/closing-line.js';

export default defineConfig({
  test: {
    // Most tests wait more than they compute: by default one core would be left alone.
    maxWorkers: 2,
    reporters: ['default', new ClosingLine()],
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 20_000 } },
      { extends: true, test: { name: 'faults', include: ['test/faults/**/*.test.ts'], testTimeout: 60_000 } },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/rigs/packages.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
