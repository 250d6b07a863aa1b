import { z } from 'zod';
import { durationInSeconds, sizeInBytes } from './quantities.js';

/** A duration between two numbers of seconds, held in milliseconds. */
const duration = (least: number, most: number, range: string) =>
  durationInSeconds('30s or 12h')
    .refine((seconds) => seconds >= least && seconds <= most, `must be ${range}`)
    .transform((seconds) => Math.round(seconds * 1_000));

const size = sizeInBytes('500MB or 2GiB').refine(
  (bytes) => bytes >= 2 ** 28 && bytes <= 2 ** 50,
  'must be between 256MiB and 1024TiB, with its unit',
);

/** What a profile may say of its daemon. Durations are held in milliseconds, sizes in bytes. */
export const daemonSettingsSchema = z.strictObject({
  /** A worker of this age is replaced. Each gets up to a tenth less, so that they are not replaced together. */
  maxAge: duration(60, 31_536_000, 'between 1m and 365d').optional(),
  /** A worker that holds more memory than this for several heartbeats is replaced. A fresh one holds some 100 MB. */
  maxMemory: size.optional(),
  /** Program and arguments that are run when something happens to the daemon or a worker, told of it on stdin. */
  onStatus: z
    .array(z.string().refine((word) => !word.includes('\0'), 'a NUL character cannot be used here'))
    .min(1, 'names no program')
    .refine(([program]) => program !== '', 'names no program')
    .optional(),
  /** How long workers have to end when the daemon is stopped and nobody says otherwise; default 20 s. */
  stopTimeout: duration(1, 3_600, 'between 1s and 1h').optional(),
});

/** Checked settings of a daemon. */
export type DaemonSettings = z.output<typeof daemonSettingsSchema>;
