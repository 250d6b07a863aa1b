import { didYouMean } from '../../config/nearest.js';
import { WherryError } from '../../errors.js';
import { definitions, findDefinition, type ProcessDefinition } from '../../process/definition.js';
import { type PortLine, portLines, specPage } from '../../process/spec-page.js';
import { specSchema } from '../../process/spec-schema.js';
import { defineCommand, flag, json } from '../command.js';
import { loadProcesses } from '../loaded-processes.js';
import { type Column, formatTable } from '../table.js';
import { paint, print, printable, printableLines, printJson, terminalWidth } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: { name: { type: 'string', demandOption: true, describe: 'the process, such as arithmetic.add' } },
  options: { json: { ...json, describe: 'print JSON Schema' }, markdown: flag('print a page of Markdown') },
  examples: [
    ['$0 arithmetic.add', 'what it takes, what it gives, and how it can end'],
    ['$0 arithmetic.add --markdown > add.md', 'the same as a page'],
  ],
  run: (given) =>
    withProfile(given, async (profile) => {
      const moduleOf = await loadProcesses(profile);
      const definition = find(given.name);
      if (given.json) printJson(described(definition));
      else if (given.markdown) print(printableLines(specPage(definition)).trimEnd());
      else printText(definition, moduleOf(given.name));
      return 0;
    }),
});

function find(name: string): ProcessDefinition {
  const found = findDefinition(name);
  if (found !== undefined) return found;
  const names = definitions().map((definition) => definition.name);
  throw new WherryError('not-found', `there is no process ${JSON.stringify(name)}${didYouMean(name, names)}`, {
    hint: 'wherry plugin list shows all; processes of your own are defined in modules that profile.yaml names',
  });
}

function described(definition: ProcessDefinition) {
  const { name, kind, version, description, exitCodes = {} } = definition;
  return { name, kind, version, description: description ?? null, ...specSchema(definition), exitCodes };
}

function printText(definition: ProcessDefinition, module: string | undefined): void {
  const { name, kind, version, description, exitCodes = {} } = definition;
  const from = module === undefined ? '' : `, from ${module}`;
  print(`${paint.bold(printable(name))}  ${printable(`${kind}, version ${version}${from}`)}`);
  if (description !== undefined) print(printableLines(description.trim()));
  const inputs = portLines(definition, 'inputs');
  printTable('Inputs', [...portColumns, { title: 'DEFAULT', value: (line) => printable(line.default) }, help], inputs);
  printTable('Outputs', [...portColumns, help], portLines(definition, 'outputs'));
  const codes = Object.entries(exitCodes).sort(([, one], [, other]) => one.status - other.status);
  printTable(
    'Exit codes',
    [
      { title: 'STATUS', value: ([, code]) => String(code.status), align: 'right' },
      { title: 'LABEL', value: ([label]) => printable(label) },
      { title: 'MEANING', value: ([, code]) => printable(code.message) },
    ],
    codes,
  );
}

const portColumns: readonly Column<PortLine>[] = [
  { title: 'NAME', value: ({ label }) => printable(label) },
  { title: 'TYPE', value: ({ type }) => printable(type) },
  { title: 'REQUIRED', value: ({ required }) => (required ? 'yes' : 'no') },
];

const help: Column<PortLine> = { title: 'MEANING', value: (line) => printable(line.help) };

function printTable<Row>(title: string, columns: readonly Column<Row>[], rows: readonly Row[]): void {
  print(`\n${paint.bold(title)}${rows.length === 0 ? ': none' : ''}`);
  if (rows.length === 0) return;
  print(formatTable<Row>(columns, rows, { width: terminalWidth(process.stdout), header: paint.dim }).join('\n'));
}
