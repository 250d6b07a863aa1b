import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import local from '../../../transports/local/index.js';
import { transportConformance } from '../../conformance/transport.js';

const roots: string[] = [];

transportConformance('local', async () => {
  const root = await mkdtemp(join(tmpdir(), 'wherry-local-'));
  roots.push(root);
  return { connection: await local.open({}, { timeout: 1000 }), root };
});

afterAll(async () => {
  for (const root of roots) await rm(root, { recursive: true, force: true });
});
