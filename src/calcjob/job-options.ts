import { z } from 'zod';
import { jobSchema } from '../config/job.js';
import type { JobOptions } from './define-calcjob.js';

const { files: _f, parser: _p, label: _l, description: _d, command: _c, ...fields } = jobSchema.shape;

/** What is not said stays open: a definition may say it, and a default here would speak against it. */
const open = Object.entries(fields).map(([name, field]) => {
  const said = field instanceof z.ZodDefault ? field.removeDefault() : field;
  return [name, (said as z.ZodType).optional()];
});

/** What the caller of a calcjob says of its job, as something that can be checked and stored. */
export const jobOptionsSchema = z.strictObject(Object.fromEntries(open)) as unknown as z.ZodType<
  JobOptions,
  JobOptions
>;
