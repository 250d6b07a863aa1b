/** A signal that the first SIGINT, SIGTERM or SIGHUP aborts; the second ends the program at once, as usual. */
export function interruption(): { readonly signal: AbortSignal } & Disposable {
  const abort = new AbortController();
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const stop = () => {
    release();
    abort.abort();
  };
  const release = () => {
    for (const name of names) process.off(name, stop);
  };
  for (const name of names) process.on(name, stop);
  return { signal: abort.signal, [Symbol.dispose]: release };
}
