import { z } from 'zod';
import { word } from './job-text.js';

/** A time of day with its date: with its zone, or else that of this machine; held as ISO 8601 in UTC. */
const time = z.string().transform((value, context) => {
  const written = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)?$/.test(value);
  const date = new Date(written ? value.replace(' ', 'T') : Number.NaN);
  if (!Number.isNaN(date.getTime())) return date.toISOString();
  context.addIssue({ code: 'custom', message: 'must be a time such as 2027-01-31T22:30 or 2027-01-31T22:30:00Z' });
  return z.NEVER;
});

/** Whom the scheduler tells what. */
const mail = z
  .strictObject({
    to: z.string().regex(/^[\w.+%][\w.+%-]*(@[\w-]+(\.[\w-]+)*)?$/, 'must be one address such as me@example.org'),
    onBegin: z.boolean().default(false),
    onEnd: z.boolean().default(false),
    onFail: z.boolean().default(false),
  })
  .refine(({ onBegin, onEnd, onFail }) => onBegin || onEnd || onFail, 'needs one of onBegin, onEnd and onFail: true');

/** The keys of a job that are for its scheduler, beside the resources. */
export const schedulingFields = {
  queue: word.optional(),
  account: word.optional(),
  qos: word.optional(),
  constraint: z
    .string()
    .regex(/^[\w&|()[\]*:,.+-]+$/, 'has characters that no scheduler takes')
    .optional(),
  headerLines: z.array(z.string().regex(/^#[^\n\r\0]*$/, 'must be one line that begins with #')).default([]),
  /** May it be run again from its beginning, for example after its node failed? Default: as the site has it. */
  rerunnable: z.boolean().optional(),
  mail: mail.optional(),
  /** Let it wait in the queue until somebody releases it there. */
  hold: z.boolean().optional(),
  /** It does not begin earlier. */
  beginTime: time.optional(),
  /** Share its nodes with no other job. */
  exclusive: z.boolean().optional(),
  /** Begin with the environment that the submitting command has on the computer. */
  importEnvironment: z.boolean().default(true),
};
