import fastCheck from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isProcessState,
  isTerminal,
  mayGo,
  processStates,
  terminalStates,
  transitions,
} from '../../../src/process/states.js';

describe('the table of states', () => {
  it('has the six states of the field, three of them terminal', () => {
    expect(processStates).toEqual(['created', 'running', 'waiting', 'finished', 'excepted', 'killed']);
    expect(terminalStates).toEqual(['finished', 'excepted', 'killed']);
  });

  it('lets no process back into created, and no new one finish without having run', () => {
    expect(processStates.filter((from) => mayGo(from, 'created'))).toEqual([]);
    expect(mayGo('created', 'finished')).toBe(false);
  });

  it.each(processStates.filter((state) => !isTerminal(state)))('lets a %s process be killed and excepted', (state) => {
    expect(transitions[state]).toEqual(expect.arrayContaining(['killed', 'excepted']));
  });

  it('knows its own words and no others, not even those of every object', () => {
    fastCheck.assert(
      fastCheck.property(fastCheck.string(), (word) => {
        expect(isProcessState(word)).toBe((processStates as string[]).includes(word));
      }),
      { examples: [['created'], ['toString'], ['__proto__'], ['constructor'], ['Created'], ['']] },
    );
  });
});
