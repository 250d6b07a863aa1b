import { messageOf } from '../errors.js';
import { usageError } from './errors.js';

/** Numbers, true, false and JSON texts, lists and mappings are what they look like; all else is text. */
export function readValue(value: string, option: string): unknown {
  if (!/^(-?\d+(\.\d+)?|true|false|["[{].*)$/s.test(value)) return value;
  try {
    return JSON.parse(value);
  } catch (error) {
    throw usageError(
      `--${option}: ${value} is no JSON: ${messageOf(error)}`,
      'write lists and mappings as JSON, or use a computer file',
    );
  }
}

/** The words of a list written as JSON or with blanks between. */
export function wordsOf(value: string, option: string): unknown {
  return value.startsWith('[') ? readValue(value, option) : value.split(/\s+/).filter((word) => word !== '');
}
