import { WherryError } from '../../../src/errors.js';
import type { Connection, ExecOptions, ExecResult, RemoteEntry, TreeEntry } from '../../../src/plugin/transport.js';

interface FakeJob {
  readonly id: string;
  readonly name: string;
  state: string;
  /** Is it in listings? */
  listed: boolean;
}

/** What a test may put before the cluster's own answer; undefined leaves the answer to the cluster. */
type Interception = (script: string, options: ExecOptions) => Promise<ExecResult | undefined> | ExecResult | undefined;

const answer = (stdout: string, rest: Partial<ExecResult> = {}): ExecResult => ({
  stdout,
  stderr: '',
  exitCode: 0,
  signal: null,
  durationMs: 1,
  ...rest,
});

/** The text that the submitting command leaves in the marker and prints. */
function markerText(code: number, stdout: string, stderr = ''): string {
  return `${code}\n${stdout}\n--- stderr of the scheduler ---\n${stderr}`;
}

/** A computer in memory with the queue of `fakeScheduler`: understands exactly the commands that Wherry sends. */
export class FakeCluster {
  readonly jobs: FakeJob[] = [];
  readonly markers = new Map<string, string>();
  readonly uploads: string[] = [];
  /** Every command, in order. */
  readonly commands: string[] = [];
  /** What the scheduler says to a submission. */
  reply: { code: number; stdout?: string; stderr?: string } = { code: 0 };
  intercept: Interception = () => undefined;
  /** Who has claimed the directory of a job. */
  claim: string | undefined;
  readonly connections: { readonly connection: Connection; lose(reason?: WherryError): void; closed: boolean }[] = [];

  count(command: string): number {
    return this.commands.filter((script) => script.includes(command)).length;
  }

  /** Ends every job as the scheduler sees it. */
  finishAll(state = 'done'): void {
    for (const job of this.jobs) job.state = state;
  }

  connect(): Connection {
    const lost = new AbortController();
    const end = (reason: WherryError) => {
      if (!lost.signal.aborted) lost.abort(reason);
    };
    const notThere = async () => {
      throw new WherryError('internal', 'the fake computer cannot do this');
    };
    const entry = {
      closed: false,
      lose: (reason = new WherryError('connection-lost', 'the line broke', { transient: true })) => end(reason),
    };
    const close = async () => {
      entry.closed = true;
      end(new WherryError('connection-lost', 'closed', { transient: true }));
    };
    const connection: Connection = {
      user: 'me',
      home: '/home/me',
      lost: lost.signal,
      exec: async (script, options) => {
        lost.signal.throwIfAborted();
        if (options.signal?.aborted) throw new WherryError('aborted', 'stopped on request');
        this.commands.push(script);
        const result = (await this.intercept(script, options)) ?? this.#run(script, options);
        lost.signal.throwIfAborted();
        return result;
      },
      upload: async (_tree: readonly TreeEntry[], directory: string) => void this.uploads.push(directory),
      find: async (): Promise<RemoteEntry[]> => [],
      download: async () => undefined,
      stat: notThere,
      read: notThere,
      write: notThere,
      makeDirectory: notThere,
      rename: notThere,
      remove: notThere,
      symlink: notThere,
      copy: notThere,
      changeMode: notThere,
      close,
      [Symbol.asyncDispose]: close,
    };
    this.connections.push(Object.assign(entry, { connection }));
    return connection;
  }

  #run(script: string, options: ExecOptions): ExecResult {
    const submission = /fake-submit '?([\w.-]+)/.exec(script);
    if (submission !== null) return this.#submit(submission[1] ?? '', script, options.directory ?? '');
    const marker = /^cat '?(.*?)'? 2>/.exec(script);
    if (marker !== null) return answer(this.markers.get(marker[1] ?? '') ?? '');
    if (script.startsWith('fake-list')) return answer(this.#table(this.jobs.filter((job) => job.listed)));
    const find = /^fake-find '?([\w.-]+)/.exec(script);
    if (find !== null) return answer(this.#table(this.jobs.filter((job) => job.name === find[1])));
    const kill = /^fake-kill '?(\w+)/.exec(script);
    if (kill !== null) {
      for (const job of this.jobs) if (job.id === kill[1]) job.state = 'cancelled';
      return answer('');
    }
    if (script.startsWith('fake-accounting')) return answer('end\n');
    if (script === 'exec sh -s') return answer('end\n');
    if (script.startsWith('ln -s killed')) this.claim ??= 'killed';
    if (/^(readlink|ln -s killed) /.test(script)) return answer(this.claim === undefined ? '' : `${this.claim}\n`);
    throw new WherryError('internal', `the fake computer does not know: ${script}`);
  }

  #submit(name: string, script: string, directory: string): ExecResult {
    const { code, stdout, stderr } = this.reply;
    const id = String(this.jobs.length + 101);
    if (code === 0 && stdout === undefined) this.jobs.push({ id, name, state: 'queued', listed: true });
    const text = markerText(code, stdout ?? `accepted ${id}`, stderr);
    const marker = /\.wherry\/submission-\d+/.exec(script)?.[0] ?? '';
    this.markers.set(`${directory}/${marker}`, text);
    return answer(text);
  }

  #table(jobs: readonly FakeJob[]): string {
    return [...jobs.map(({ id, state, name }) => `${id} ${state} ${name}\n`), 'end\n'].join('');
  }
}
