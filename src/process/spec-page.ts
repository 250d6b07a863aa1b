import type { ProcessDefinition } from './definition.js';
import { type Port, portsOf } from './spec.js';
import { defaultOf, isRequired, portSchema } from './spec-schema.js';
import { typeText } from './spec-type-text.js';

/** One port of a process, in words. */
export interface PortLine {
  /** Dotted; `*` stands for any name. */
  readonly label: string;
  readonly type: string;
  readonly required: boolean;
  /** As JSON, or `computed`; '' when there is none. */
  readonly default: string;
  readonly help: string;
}

/** All ports in the order of the definition, each namespace before what is in it. */
export function portLines(definition: ProcessDefinition, which: 'inputs' | 'outputs'): PortLine[] {
  const root = portsOf(definition[which]);
  return [...root.ports, ...(root.dynamic === undefined ? [] : [['*', root.dynamic] as const])].flatMap(
    ([name, port]) => linesOf(port, name),
  );
}

function linesOf(port: Port, label: string): PortLine[] {
  const preset = defaultOf(port);
  const line: PortLine = {
    label,
    type: typeText(port.kind, port.kind === 'value' ? portSchema(port) : {}),
    required: label.endsWith('*') ? false : isRequired(port),
    default: preset === undefined ? '' : 'computed' in preset ? 'computed' : JSON.stringify(preset.value),
    help: port.help ?? '',
  };
  if (port.kind !== 'namespace') return [line];
  const below = [...port.ports, ...(port.dynamic === undefined ? [] : [['*', port.dynamic] as const])];
  return [line, ...below.flatMap(([name, part]) => linesOf(part, `${label}.${name}`))];
}

/** A page of Markdown about a process. */
export function specPage(definition: ProcessDefinition): string {
  const { name, kind, version, description, exitCodes = {} } = definition;
  const codes = Object.entries(exitCodes).sort(([, one], [, other]) => one.status - other.status);
  const ports = (which: 'inputs' | 'outputs') =>
    portLines(definition, which).map((line) => [
      code(line.label),
      code(line.type),
      line.required ? 'yes' : 'no',
      line.default === '' || line.default === 'computed' ? line.default : code(line.default),
      plain(line.help),
    ]);
  const sections = [
    `# ${plain(name)}`,
    `A ${kind}, version ${version}.`,
    ...(description === undefined ? [] : [paragraphs(description)]),
    '## Inputs',
    table(['Name', 'Type', 'Required', 'Default', 'Meaning'], ports('inputs'), 'It takes none.'),
    '## Outputs',
    table(
      ['Name', 'Type', 'Required', 'Meaning'],
      ports('outputs').map((cells) => cells.filter((_cell, column) => column !== 3)),
      'It gives none.',
    ),
    '## Exit codes',
    table(
      ['Status', 'Label', 'Meaning'],
      codes.map(([label, { status, message }]) => [String(status), code(label), plain(message)]),
      'It has none of its own.',
    ),
  ];
  return `${sections.join('\n\n')}\n`;
}

function table(titles: readonly string[], rows: readonly (readonly string[])[], none: string): string {
  if (rows.length === 0) return none;
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Text that means nothing but itself in Markdown, also in a cell of a table. */
function plain(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .replace(/[\\`*_[\]|#~]/g, '\\$&')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;');
}

/** Line breaks between paragraphs stay; what is in them is the author's own Markdown, but for HTML. */
function paragraphs(text: string): string {
  return text.trim().replace(/</g, '&lt;');
}

function code(text: string): string {
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  const space = longest > 0 ? ' ' : '';
  return `${fence}${space}${text.replace(/\s+/g, ' ').replace(/\|/g, '\\|')}${space}${fence}`;
}
