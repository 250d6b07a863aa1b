import type { SimulatedCluster } from './cluster.js';
import { type Answer, printed } from './dialect.js';
import type { Fault, Operation } from './faults.js';
import { shellWords } from './shell-words.js';

/** A command that the simulated computer understands. */
export interface KnownCommand {
  readonly operation: Operation;
  /** Whom it concerns. */
  readonly subject: string;
  /** Has it an effect, so that it may come late? */
  readonly changes: boolean;
  run(fault: Fault | undefined): Answer;
}

export interface CommandInput {
  readonly directory: string;
  readonly stdin: string;
}

/**
 * Understands the commands that Wherry sends, by their form; it is no shell.
 * Errors: an Error that tells the command that it does not know.
 */
export function understand(cluster: SimulatedCluster, text: string, input: CommandInput): KnownCommand {
  const known = submission(cluster, text, input) ?? fileCommand(cluster, text, input) ?? question(cluster, text, input);
  if (known === undefined) throw new Error(`the simulated computer does not know this command: ${text.slice(0, 2000)}`);
  return known;
}

/** The one command by which a job is handed over: script into place, scheduler, marker, reply. */
function submission(cluster: SimulatedCluster, text: string, input: CommandInput): KnownCommand | undefined {
  const script = /> (\S+) && chmod 700/.exec(text)?.[1];
  const marker = /^wherry_tell > (\S+)\.part && mv/m.exec(text)?.[1];
  const mark = /'(--- [^']* ---)'/.exec(text)?.[1];
  const command = text.split('$($wherry_limit ')[1];
  if (script === undefined || marker === undefined || mark === undefined || command === undefined) return undefined;
  const all = shellWords(command);
  const words = all.slice(
    0,
    all.findIndex((word) => word.startsWith('2>')),
  );
  const handed = cluster.dialect.submission(words, input.stdin);
  if (handed === undefined) return undefined;
  const { name } = handed;
  const ending = `\n# the end of ${name}`;
  const run = (fault: Fault | undefined): Answer => {
    const sent = fault?.kind === 'cut' && fault.of === 'request' ? input.stdin.slice(0, fault.bytes) : input.stdin;
    if (fault?.kind === 'disk-full')
      return { stdout: '', stderr: 'sh: write error: No space left on device\n', exitCode: 97 };
    if (!sent.includes(ending) || !cluster.files.exists(input.directory)) return { ...printed(''), exitCode: 97 };
    cluster.files.write(`${input.directory}/${script}`, sent, 0o700);
    const reply =
      fault?.kind === 'refused'
        ? { stdout: '', stderr: `${fault.words}\n`, exitCode: fault.exitCode ?? 1 }
        : cluster.submit(handed, sent);
    const told = `${reply.exitCode}\n${reply.stdout.trimEnd()}\n${mark}\n${reply.stderr}`;
    cluster.files.write(`${input.directory}/${marker}`, told);
    return printed(told);
  };
  return { operation: 'submit', subject: subjectOf(name), changes: true, run };
}

/** The look at a marker, at a claim, and at the exit files of many jobs. */
function fileCommand(cluster: SimulatedCluster, text: string, input: CommandInput): KnownCommand | undefined {
  if (/^cat .* 2>\/dev\/null \|\| true$/.test(text)) {
    const path = shellWords(text)[1] ?? '';
    const run = () => printed(cluster.files.text(path) ?? '');
    return { operation: 'marker', subject: path.split('/').at(-1) ?? '', changes: false, run };
  }
  const [, bar, claim = ''] = /^(ln -s killed \S+ 2>\/dev\/null; )?readlink (\S+) \|\| true$/.exec(text) ?? [];
  if (claim !== '') {
    const [path = ''] = shellWords(claim);
    const run = () => {
      if (bar !== undefined && !cluster.files.exists(path)) cluster.files.symlink('killed', path);
      const target = cluster.files.linkTarget(path);
      return printed(target === undefined ? '' : `${target}\n`);
    };
    return { operation: bar === undefined ? 'read' : 'kill', subject: '', changes: bar !== undefined, run };
  }
  if (text !== 'exec sh -s') return undefined;
  const run = () =>
    printed(
      input.stdin
        .split('\n')
        .map((line) => {
          const [word, id, path = ''] = shellWords(line);
          const code = word === 'show' ? cluster.files.text(path) : undefined;
          return code === undefined ? (word === 'echo' ? `${id}\n` : '') : `${id} ${code}`;
        })
        .join(''),
    );
  return { operation: 'exit-files', subject: '', changes: false, run };
}

function question(cluster: SimulatedCluster, text: string, { stdin }: CommandInput): KnownCommand | undefined {
  const words = shellWords(text);
  const operation = cluster.dialect.recognise(words);
  if (operation === undefined) return undefined;
  const concerned = operation === 'kill' ? stdin.trim() : '';
  const job = cluster.queue.jobs.get(concerned);
  return {
    operation,
    subject: job?.subject ?? concerned,
    changes: operation === 'kill',
    run: (fault) => cluster.ask(operation, words, stdin, fault),
  };
}

/** A name without its last part, which is another for each attempt. */
export function subjectOf(name: string): string {
  return name.replace(/-[^-]*$/, '');
}
