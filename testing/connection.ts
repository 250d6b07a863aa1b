import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Connection, type TransferOptions, type TreeEntry, WherryError } from '../src/plugin.js';
import type { SimulatedCluster } from './cluster.js';
import type { Fault, Operation } from './faults.js';
import { understand } from './interpreter.js';
import { Line } from './line.js';

/**
 * An open connection to a simulated cluster. Local files are read and written at once: what waits for a disk ends in
 * another order each time.
 */
export function connect(cluster: SimulatedCluster): Connection {
  const line = new Line(cluster);
  const { files } = cluster;
  const close = async () => line.lose('the connection was closed');
  const change = (operation: Operation, subject: string, options: TransferOptions, run: () => void) =>
    line.carry({ operation, subject, changes: true, ...limitsOf(options), run });

  return {
    user: cluster.user,
    home: `/home/${cluster.user}`,
    lost: line.lost,
    close,
    [Symbol.asyncDispose]: close,

    async exec(script, options) {
      line.lost.throwIfAborted();
      const began = cluster.clock.now();
      const stdin = typeof options.stdin === 'string' ? options.stdin : '';
      const command = understand(cluster, script, { directory: options.directory ?? '/', stdin });
      const { operation, subject, changes } = command;
      const answer = await line.carry({
        operation,
        subject,
        changes,
        ...limitsOf(options),
        run: (fault) => ({ ...command.run(fault), fault }),
      });
      const { exitCode, stderr, fault } = answer;
      const stdout = printedOf(answer.stdout, fault);
      return { stdout, stderr, exitCode, signal: null, durationMs: cluster.clock.now() - began };
    },

    async upload(tree, directory, options) {
      const contents = tree.map(contentOf);
      const run = (fault: Fault | undefined) => {
        if (fault?.kind === 'disk-full') throw diskFull();
        if (files.exists(directory)) throw new WherryError('file-exists', `${directory} exists already`);
        const part = `${directory}.part`;
        files.remove(part);
        files.makeDirectory(part);
        let left = fault?.kind === 'cut' ? fault.bytes : Number.POSITIVE_INFINITY;
        for (const [index, entry] of tree.entries()) {
          const content = contents[index] ?? Buffer.alloc(0);
          left -= content.length;
          if (left < 0) return;
          if (entry.type === 'file') files.write(`${part}/${entry.path}`, content, entry.mode);
          else if (entry.type === 'directory') files.makeDirectory(`${part}/${entry.path}`);
          else files.symlink(entry.target, `${part}/${entry.path}`);
        }
        if (fault?.kind !== 'cut') files.rename(part, directory);
      };
      await line.carry({ operation: 'upload', subject: identityOf(tree), changes: true, ...limitsOf(options), run });
    },

    find: (directory, roots, options) =>
      line.carry({
        operation: 'read',
        subject: '',
        changes: false,
        ...limitsOf(options),
        run: () => {
          const found = roots.flatMap((root) => files.below(directory, root, options.maxDepth));
          return [...new Map(found.map((entry) => [entry.path, entry])).values()];
        },
      }),

    async download(directory, wanted, localDirectory, options) {
      const contents = await line.carry({
        operation: 'download',
        subject: '',
        changes: false,
        ...limitsOf(options),
        run: () => wanted.map((file) => files.bytes(`${directory}/${file.path}`)),
      });
      for (const [index, file] of wanted.entries()) {
        const content = contents[index];
        if (content?.length !== file.size) {
          throw new WherryError('transfer-incomplete', `${file.path} has changed`, { transient: true });
        }
        const target = path.join(localDirectory, file.path);
        mkdirSync(path.dirname(target), { recursive: true });
        writeFileSync(target, content);
      }
    },

    stat: (name, options) =>
      line.carry({
        operation: 'read',
        subject: '',
        changes: false,
        ...limitsOf(options),
        run: () => files.entry(name),
      }),
    read: (name, options) =>
      line.carry({
        operation: 'read',
        subject: '',
        changes: false,
        ...limitsOf(options),
        run: () => {
          const content = files.bytes(name);
          if (content === undefined) throw new WherryError('file-missing', `${name}: No such file or directory`);
          return content;
        },
      }),
    write: (name, content, options) => change('upload', '', options, () => files.write(name, content)),
    makeDirectory: (name, options) => change('upload', '', options, () => files.makeDirectory(name)),
    rename: (from, to, options) => change('upload', '', options, () => files.rename(from, to)),
    remove: (name, options) => change('upload', '', options, () => files.remove(name)),
    symlink: (target, name, options) => change('upload', '', options, () => files.symlink(target, name)),
    copy: (from, to, options) => change('upload', '', options, () => files.copy(from, to)),
    changeMode: (name, mode, options) => change('upload', '', options, () => files.changeMode(name, mode)),
  };
}

function limitsOf({ timeout, signal }: Pick<TransferOptions, 'timeout' | 'signal'>) {
  return { timeout, signal };
}

/** What is left of a reply. */
function printedOf(stdout: string, fault: Fault | undefined): string {
  if (fault?.kind === 'nothing') return '';
  return fault?.kind === 'truncated' ? stdout.slice(0, Math.floor(stdout.length * fault.share)) : stdout;
}

function diskFull(): WherryError {
  return new WherryError('disk-full', 'the simulated file system is full: No space left on device');
}

function contentOf(entry: TreeEntry): Buffer {
  if (entry.type !== 'file') return Buffer.alloc(0);
  return entry.content instanceof Uint8Array ? Buffer.from(entry.content) : readFileSync(entry.content.file);
}

/** What is sent, without the part that is new each time: files of ours lie in a folder that begins with a dot. */
function identityOf(tree: readonly TreeEntry[]): string {
  const hash = createHash('sha256');
  for (const entry of tree) if (entry.type === 'file' && !entry.path.startsWith('.')) hash.update(entry.sha256);
  return hash.digest('hex').slice(0, 8);
}
