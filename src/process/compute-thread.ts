/** What a thread is to compute. */
export interface ThreadData {
  readonly moduleUrl: string;
  readonly exportName: string;
  readonly input: unknown;
  /** Of the result. */
  readonly mostBytes: number;
}

/** What a thread says at its end: the result, or at which point it failed. */
export type ThreadAnswer =
  | { readonly kind: 'result'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'load' | 'missing' | 'run' | 'unusable';
      readonly message: string;
      readonly stack: string;
    };

/**
 * The program of a thread, as text: so it is the same wherever this file was compiled to. The thread steps back behind
 * the main loop, whose priority it does not share (on Linux a priority is that of one thread). The result is made into
 * bytes there, because the copying of a large one would hold up the main loop.
 */
export const threadProgram = `
const { parentPort, workerData } = require('node:worker_threads');
const { serialize } = require('node:v8');
if (process.platform === 'linux') try { require('node:os').setPriority(0, 10); } catch {}
const { moduleUrl, exportName, input, mostBytes } = workerData;
const answer = (kind, error) =>
  parentPort.postMessage({ kind, message: String(error?.message ?? error), stack: String(error?.stack ?? '') });
(async () => {
  let module;
  try {
    module = await import(moduleUrl);
  } catch (error) {
    return answer('load', error);
  }
  const run = module[exportName];
  if (typeof run !== 'function') return answer('missing', 'it exports no function ' + exportName);
  let value;
  try {
    value = await run(input);
  } catch (error) {
    return answer('run', error);
  }
  try {
    const bytes = serialize(value);
    if (bytes.byteLength > mostBytes) return answer('unusable', bytes.byteLength + ' bytes, where ' + mostBytes + ' are allowed');
    parentPort.postMessage({ kind: 'result', bytes }, [bytes.buffer]);
  } catch (error) {
    answer('unusable', error);
  }
})();
`;
