import { InputError } from '../errors.js';

const secondsPerUnit = { d: 86_400, h: 3_600, m: 60, s: 1, ms: 0.001 } as const;
const bytesPerUnit: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** Seconds of a duration such as `30s`, `1h30m`, `2d` or a bare number of seconds. Throws an InputError. */
export function parseDuration(text: string): number {
  const bare = /^\d+(\.\d+)?$/.test(text);
  if (bare) return Number(text);
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|d|h|m|s)/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== text) {
    throw new InputError(`"${text}" is no duration`, [], { hint: 'write for example 30s, 90m, 1h30m or 2d' });
  }
  return parts.reduce((sum, part) => sum + Number(part[1]) * secondsPerUnit[part[2] as keyof typeof secondsPerUnit], 0);
}

/** The shortest way to write a number of seconds: `1h30m`, `30s`. Whole seconds. */
export function formatDuration(seconds: number): string {
  let rest = Math.round(seconds);
  let text = '';
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    const count = Math.floor(rest / secondsPerUnit[unit]);
    rest -= count * secondsPerUnit[unit];
    if (count > 0) text += `${count}${unit}`;
  }
  return text || '0s';
}

/** Bytes of a size such as `64GiB`, `500MB` or a bare number of bytes. Throws an InputError. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([KMGT]iB|[kMGT]?B)?$/.exec(text);
  const factor = bytesPerUnit[match?.[2] ?? 'B'];
  if (!match || factor === undefined) {
    throw new InputError(`"${text}" is no size`, [], { hint: 'write for example 500MB or 64GiB' });
  }
  return Math.round(Number(match[1]) * factor);
}
