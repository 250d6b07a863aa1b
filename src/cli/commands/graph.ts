import { writeFile } from 'node:fs/promises';
import { toDot } from '../../engine/graph/dot.js';
import { isOfClass, type ProvenanceGraph } from '../../engine/graph/graph.js';
import { readGraph } from '../../engine/graph/read-graph.js';
import { toSvg } from '../../engine/graph/svg.js';
import { InputError, messageOf } from '../../errors.js';
import { defineCommand, flag, idPositional, text } from '../command.js';
import { usageError } from '../errors.js';
import { findProcess } from '../find-process.js';
import { counted } from '../process-text.js';
import { jsonText, printable, printRaw, say } from '../terminal.js';
import { withProfile } from '../with-profile.js';

const formats: Readonly<Record<string, (graph: ProvenanceGraph, highlight: string | undefined) => string>> = {
  svg: toSvg,
  dot: toDot,
  json: (graph) => `${jsonText(graph)}\n`,
};

export const command = defineCommand({
  positionals: idPositional,
  options: {
    format: text('svg (default), dot for Graphviz, or json'),
    json: flag('the same as --format json'),
    ancestors: text('steps back, to what it was made from and called by (default: all)'),
    descendants: text('steps on, to what it made and called (default: all)'),
    highlight: text('colour the nodes of this process name, kind of process or type of data, and no others'),
    output: text('file to write; default: standard output'),
  },
  examples: [
    ['$0 3 --output graph.svg', 'where the data of process 3 came from and went to, as a picture'],
    ['$0 3 --descendants 0 --highlight file', 'what led to it, with all files coloured'],
    ['$0 3 --format dot | dot -Tpdf > graph.pdf', 'drawn by Graphviz'],
  ],
  run: (given) =>
    withProfile(given, async ({ store }) => {
      const { highlight, output } = given;
      const format = formatOf(given.format, given.json);
      const options = { ancestors: steps(given.ancestors), descendants: steps(given.descendants) };
      const row = await findProcess(store, given.id);
      const graph = await readGraph(store, row.id, options);
      if (graph.cut) {
        say(`there is more: these are the nearest ${counted(graph.nodes.length, 'node')}; fewer steps make it whole`);
        say('see: wherry graph --ancestors N --descendants N');
      }
      if (highlight !== undefined && !graph.nodes.some((node) => isOfClass(node, highlight))) {
        say(`nothing in the graph is called "${printable(highlight)}", so nothing is coloured`);
      }
      const content = format(graph, highlight);
      if (output === undefined) await printRaw(content);
      else await writeTo(output, content);
      return 0;
    }),
});

function formatOf(named: string | undefined, json: boolean) {
  if (json && named !== undefined && named !== 'json') {
    throw usageError(`--json and --format ${printable(named)} exclude each other`, 'give one of them');
  }
  const name = named ?? (json ? 'json' : 'svg');
  const format = Object.hasOwn(formats, name) ? formats[name] : undefined;
  if (format === undefined) {
    throw usageError(`there is no format "${printable(name)}"`, `formats are: ${Object.keys(formats).join(', ')}`);
  }
  return format;
}

function steps(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (!/^\d{1,9}$/.test(value)) {
    throw usageError(`"${printable(value)}" is no number of steps`, 'give a whole number from 0 on');
  }
  return Number(value);
}

async function writeTo(file: string, content: string): Promise<void> {
  try {
    await writeFile(file, content);
  } catch (error) {
    throw new InputError(`${printable(file)} cannot be written: ${messageOf(error)}`, [], {
      hint: 'choose another file',
      cause: error,
    });
  }
}
