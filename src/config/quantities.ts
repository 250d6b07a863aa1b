import { z } from 'zod';
import { messageOf, WherryError } from '../errors.js';
import { parseDuration, parseSize } from '../plugin/units.js';

/** Longer text would only keep the parsers busy. */
const short = z.string().max(100);

/** A duration as people write it or a number of seconds, held in seconds. @param example such as `30s` */
export function durationInSeconds(example: string) {
  return z
    .union([z.number(), short], `must be a duration such as ${example}, or a number of seconds`)
    .transform((value, context) => converted(value, parseDuration, context));
}

/** A size as people write it or a number of bytes, held in bytes. @param example such as `500MB or 2GiB` */
export function sizeInBytes(example: string) {
  return z
    .union([z.number(), short], `must be a size such as ${example}, or a number of bytes`)
    .transform((value, context) => converted(value, parseSize, context));
}

function converted(value: number | string, parse: (text: string) => number, context: z.RefinementCtx): number {
  if (typeof value === 'number') return value;
  try {
    return parse(value);
  } catch (error) {
    const hint = error instanceof WherryError && error.hint !== undefined ? `: ${error.hint}` : '';
    context.addIssue({ code: 'custom', message: messageOf(error) + hint });
    return z.NEVER;
  }
}
