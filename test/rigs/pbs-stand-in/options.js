/** How qsub reads its options, from the command line and from the `#PBS` lines of the script. */
import { fail } from './state.js';

const withValue = 'aAcCejJklmMNopPqrRSuvW';
const alone = 'fhIVXz';

const usage = `usage: qsub [-a date_time] [-A account_string] [-c interval]
	[-C directive_prefix] [-e path] [-f ] [-h ] [-I [-X]] [-j oe|eo] [-J X-Y[:Z]]
	[-k keep] [-l resource_list] [-m mail_options] [-M user_list]
	[-N jobname] [-o path] [-p priority] [-P project] [-q queue] [-r y|n]
	[-R o|e|oe] [-S path] [-u user_list] [-W otherattributes=value...]
	[-v variable_list] [-V ] [-z] [script | -- command [arg1 ...]]
       qsub --version`;

export function badUsage(message) {
  fail(2, `qsub: ${message}\n${usage}`);
}

/** Reads words as getopt does: `{ options: [letter, value][], rest }`. */
export function readOptions(words) {
  const options = [];
  let index = 0;
  for (; index < words.length; index++) {
    const word = words[index];
    if (!word.startsWith('-') || word === '-') break;
    for (let place = 1; place < word.length; place++) {
      const letter = word[place];
      if (alone.includes(letter)) {
        options.push([letter, '']);
      } else if (withValue.includes(letter)) {
        const value = place + 1 < word.length ? word.slice(place + 1) : words[++index];
        if (value === undefined) badUsage(`option requires an argument -- '${letter}'`);
        options.push([letter, value]);
        break;
      } else {
        badUsage(`invalid option -- '${letter}'${word === '--nosuch' ? `\nqsub: invalid option -- 'n'` : ''}`);
      }
    }
  }
  return { options, rest: words.slice(index) };
}

/** The options in the script: up to the first line that is neither empty nor a comment. */
export function readDirectives(script) {
  const options = [];
  for (const line of script.split('\n')) {
    if (line.startsWith('#PBS')) {
      const words = [...line.slice(4).matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
        (part) => part[1] ?? part[2] ?? part[3],
      );
      options.push(...readOptions(words).options);
    } else if (line.trim() !== '' && !line.startsWith('#') && !line.startsWith(':')) {
      break;
    }
  }
  return options;
}

const known = new Set([
  'ncpus',
  'mem',
  'vmem',
  'mpiprocs',
  'ompthreads',
  'ngpus',
  'host',
  'vnode',
  'arch',
  'naccelerators',
]);
const jobWide = new Set([...known, 'select', 'place', 'walltime', 'cput', 'nodes', 'nodect']);

/** Seconds of `ss`, `mm:ss` or `hh:mm:ss`. */
export function secondsOf(text) {
  if (!/^\d+(:\d+){0,2}$/.test(text)) fail(166, 'qsub: Illegal attribute or resource value Resource_List.walltime');
  return text.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
}

export function timeOf(seconds) {
  const two = (value) => String(Math.floor(value)).padStart(2, '0');
  return `${two(seconds / 3600)}:${two((seconds % 3600) / 60)}:${two(seconds % 60)}`;
}

/** `-l` values, later ones over earlier ones, as the job's Resource_List. */
export function resourceList(values) {
  const asked = new Map();
  for (const part of values.flatMap((value) => value.split(','))) {
    const at = part.indexOf('=');
    const name = at < 0 ? part : part.slice(0, at);
    if (!jobWide.has(name)) fail(187, `qsub: Unknown resource: ${name}`);
    asked.set(name, part.slice(at + 1));
  }
  if (asked.has('select') && asked.has('nodes')) fail(6, 'qsub: Cannot be used with select or place: nodes');
  const chunks = (asked.get('select') ?? '1').split('+').map(readChunk);
  const list = { ...totals(chunks) };
  list.nodect = chunks.reduce((sum, chunk) => sum + chunk.count, 0);
  list.place = asked.get('place') ?? (asked.has('select') ? 'free' : 'pack');
  list.select = chunks.map(({ count, parts }) => `${count}:${parts.map((part) => part.join('=')).join(':')}`).join('+');
  if (asked.has('walltime')) list.walltime = timeOf(secondsOf(asked.get('walltime')));
  return Object.fromEntries(Object.entries(list).sort(([one], [other]) => (one < other ? -1 : 1)));
}

function readChunk(text) {
  const words = text.split(':');
  const count = /^\d+$/.test(words[0]) ? Number(words.shift()) : 1;
  const parts = words.map((word) => word.split('='));
  for (const [name] of parts) if (!known.has(name)) fail(187, `qsub: Unknown resource: ${name}`);
  if (!parts.some(([name]) => name === 'ncpus')) parts.push(['ncpus', '1']);
  return { count, parts };
}

const kilobytesPer = { b: 1 / 1024, kb: 1, mb: 1024, gb: 1024 ** 2, tb: 1024 ** 3 };

export function kilobytes(text) {
  const match = /^(\d+)([kmgt]?b)?$/.exec(text);
  if (!match) fail(166, 'qsub: Illegal attribute or resource value Resource_List.mem');
  return Math.ceil(Number(match[1]) * kilobytesPer[match[2] ?? 'b']);
}

function totals(chunks) {
  const list = {};
  for (const { count, parts } of chunks) {
    for (const [name, value] of parts) {
      if (['ncpus', 'ngpus', 'mpiprocs'].includes(name)) list[name] = (list[name] ?? 0) + count * Number(value);
      else if (name === 'mem') list.mem = chunks.length + count === 2 ? value : `${count * kilobytes(value)}kb`;
    }
  }
  return list;
}
