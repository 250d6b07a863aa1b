import { z } from 'zod';
import { resourceFields } from '../plugin/resources.js';
import { durationInSeconds, sizeInBytes } from './quantities.js';

const duration = durationInSeconds('90m or 1h30m').refine(
  (seconds) => seconds >= 1 && seconds <= 315_360_000,
  'must be between 1s and 3650d',
);
const size = sizeInBytes('500MB or 64GiB').refine(
  (bytes) => bytes >= 2 ** 20 && bytes <= 2 ** 50,
  'must be between 1MiB and 1024TiB, with its unit, such as 64GiB',
);

/** The resources as users write them; what a scheduler cannot express is refused by its plugin's own schema. */
export const resources = z.strictObject({
  nodes: resourceFields.nodes,
  tasksPerNode: resourceFields.tasksPerNode,
  cpusPerTask: resourceFields.cpusPerTask,
  gpusPerNode: resourceFields.gpusPerNode,
  memoryPerNode: size.optional(),
  walltime: duration.optional(),
});
