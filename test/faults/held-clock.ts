import pg from 'pg';
import type { VirtualClock } from '../../testing/index.js';

/**
 * Keeps a virtual clock from moving while a PostgreSQL server has been asked something: it answers in a time of its own,
 * which no turn of the event loop shows. Holds for all connections of this program until it is disposed of.
 */
export function holdWhileAsked(clock: VirtualClock): Disposable {
  const { query } = pg.Client.prototype;
  const { connect } = pg.Pool.prototype;
  const never = new Int32Array(new SharedArrayBuffer(4));
  let asked = 0;
  const stir = () => {
    if (asked === 0) return;
    // News of every turn: somebody who waits for nothing comes and goes.
    clock.at(clock.now(), () => undefined)();
    // The server needs the processor more than turns in which nothing happens.
    Atomics.wait(never, 0, 0, 0.2);
    setImmediate(stir);
  };
  const held = <Asked extends (...words: never[]) => unknown>(real: Asked) =>
    function (this: unknown, ...words: never[]) {
      const answer = real.apply(this, words);
      if (!(answer instanceof Promise)) return answer;
      asked++;
      if (asked === 1) setImmediate(stir);
      return answer.finally(() => asked--);
    };
  Object.assign(pg.Client.prototype, { query: held(query) });
  Object.assign(pg.Pool.prototype, { connect: held(connect) });
  return {
    [Symbol.dispose]: () => {
      Object.assign(pg.Client.prototype, { query });
      Object.assign(pg.Pool.prototype, { connect });
    },
  };
}
