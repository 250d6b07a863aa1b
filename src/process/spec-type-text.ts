import type { Port } from './spec.js';
import type { JsonSchema } from './spec-schema.js';

/** Characters beyond which a type is cut: it is a hint, the whole is in the JSON Schema. */
const most = 120;

/** What a port takes, in a few words. */
export function typeText(kind: Port['kind'], schema: JsonSchema): string {
  if (kind === 'remote-folder') return 'folder on a computer';
  if (kind === 'any') return 'data of any kind';
  if (kind !== 'value') return kind;
  const text = valueText(schema);
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

function valueText(schema: JsonSchema): string {
  if (Array.isArray(schema.enum)) return oneOf(schema.enum.map((value) => JSON.stringify(value)));
  if ('const' in schema) return JSON.stringify(schema.const);
  if ('$ref' in schema) return '…';
  for (const branches of [schema.anyOf, schema.oneOf]) {
    if (Array.isArray(branches)) return oneOf(branches.map(valueText));
  }
  if (Array.isArray(schema.allOf)) return schema.allOf.map(valueText).join(' and ');
  if (Array.isArray(schema.type)) return oneOf(schema.type.map((type) => typed(String(type), schema)));
  return schema.type === undefined ? 'any value' : typed(String(schema.type), schema);
}

function oneOf(texts: readonly string[]): string {
  return [...new Set(texts)].join(' or ');
}

function typed(type: string, schema: JsonSchema): string {
  switch (type) {
    case 'string':
      return `text${textLimits(schema)}`;
    case 'number':
      return `number${numberLimits(schema)}`;
    case 'integer':
      return `whole number${numberLimits(schema)}`;
    case 'boolean':
      return 'true or false';
    case 'array':
      return listText(schema);
    case 'object':
      return mappingText(schema);
    default:
      return type;
  }
}

function numberLimits(schema: JsonSchema): string {
  const limits = [
    limit('≥', schema.minimum),
    limit('>', schema.exclusiveMinimum),
    limit('≤', schema.maximum),
    limit('<', schema.exclusiveMaximum),
  ].filter((text) => text !== '');
  return limits.length === 0 ? '' : ` ${limits.join(', ')}`;
}

/** Whole numbers are limited to those that are exact, which nobody needs to be told. */
function limit(sign: string, bound: unknown): string {
  return typeof bound === 'number' && Math.abs(bound) !== Number.MAX_SAFE_INTEGER ? `${sign} ${bound}` : '';
}

function textLimits({ format, pattern, minLength, maxLength }: JsonSchema): string {
  if (typeof format === 'string') return ` (${format})`;
  if (typeof pattern === 'string') return ` like /${pattern}/`;
  const lengths = [limit('≥', minLength), limit('≤', maxLength)].filter((text) => text !== '');
  return lengths.length === 0 ? '' : ` of ${lengths.join(', ')} characters`;
}

function listText({ items, prefixItems }: JsonSchema): string {
  if (Array.isArray(prefixItems)) return `[${prefixItems.map(valueText).join(', ')}]`;
  return isSchema(items) ? `list of ${valueText(items)}` : 'list';
}

function mappingText({ properties, required, additionalProperties }: JsonSchema): string {
  if (isSchema(properties) && Object.keys(properties).length > 0) {
    const needed = new Set(Array.isArray(required) ? required : []);
    const entries = Object.entries(properties).map(
      ([name, part]) => `${name}${needed.has(name) ? '' : '?'}: ${valueText(part as JsonSchema)}`,
    );
    return `{${entries.join(', ')}}`;
  }
  const isTyped = isSchema(additionalProperties) && Object.keys(additionalProperties).length > 0;
  return isTyped ? `mapping of ${valueText(additionalProperties)}` : 'mapping';
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
