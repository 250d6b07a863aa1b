/** What `examples/stack.ts` tells of one process that was called by these. */
export function seenIn(tag: string, callers: readonly string[]) {
  const within = [...callers, 'example.outer', 'example.middle'];
  const innermost = (number: number) => ({
    tag: `${tag}${number}`,
    before: [...within, 'example.inner'],
    after: [...within, 'example.inner'],
  });
  return { before: within, after: within, inner: [innermost(1), innermost(2)] };
}

const root = ['example.outermost'];

/** What it tells of three at once: `a`, `b` and `c`. */
export const seenInThree = { seen: ['a', 'b', 'c'].map((tag) => seenIn(tag, root)), here: root };
