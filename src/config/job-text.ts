import { z } from 'zod';

/** Text that may go into a script or a file name: anything but NUL and what cannot be written as UTF-8. */
export const text = z
  .string()
  .refine((value) => !value.includes('\0'), 'a NUL character cannot be used here')
  .refine((value) => !/\p{Surrogate}/u.test(value), 'has half of a surrogate pair, which cannot be written as UTF-8');

/** One word for the scheduler's header: no blanks, quotes or control characters, no leading dash. */
export const word = z
  .string()
  .regex(
    /^[^\s\p{Cc}"'`$\\;|<>-][^\s\p{Cc}"'`$\\;|<>]*$/u,
    'must be one word without blanks, quotes or a leading dash',
  );

/** A path inside the job's directory: relative, no `.` or `..`, not Wherry's own folder. */
export const jobPath = text.refine((path) => isInside(path), {
  error: 'must be a relative path inside the job directory, without "." or ".." (and not in .wherry)',
});

function isInside(path: string): boolean {
  const segments = path.replace(/\/$/, '').split('/');
  return segments[0] !== '.wherry' && segments.every((part) => part !== '' && part !== '.' && part !== '..');
}
