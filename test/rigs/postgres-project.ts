import type { TestProject } from 'vitest/node';
import { openStore } from '../../src/store/store.js';
import { ensurePackages } from './packages.js';
import { startPostgres } from './postgres.js';
import { template } from './provided-postgres.js';

/** Start of a vitest project whose tests keep their stores on one PostgreSQL server. */
// biome-ignore lint/style/noDefaultExport: vitest asks for it
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await ensurePackages(['postgresql']);
  const server = await startPostgres();
  await server.databases.create({ name: template });
  const store = await openStore(server.databases.place(template));
  await store.destroy();
  project.provide('postgres', server.port);
  return async () => server[Symbol.asyncDispose]();
}
