/** Where a process can go from each state. Terminal states have no way out: nothing that arrives later changes them. */
export const transitions = {
  created: ['running', 'waiting', 'excepted', 'killed'],
  running: ['running', 'waiting', 'finished', 'excepted', 'killed'],
  waiting: ['running', 'waiting', 'finished', 'excepted', 'killed'],
  finished: [],
  excepted: [],
  killed: [],
} as const satisfies Record<string, readonly string[]>;

export type ProcessState = keyof typeof transitions;
/** The states that can follow `From`, for the compiler. */
export type NextState<From extends ProcessState> = (typeof transitions)[From][number];
export type TerminalState = { [S in ProcessState]: NextState<S> extends never ? S : never }[ProcessState];

export const processStates = Object.keys(transitions) as ProcessState[];
export const terminalStates = processStates.filter((state) => transitions[state].length === 0) as TerminalState[];

export function isTerminal(state: ProcessState): state is TerminalState {
  return transitions[state].length === 0;
}

export function mayGo(from: ProcessState, to: ProcessState): boolean {
  return (transitions[from] as readonly ProcessState[]).includes(to);
}

/** Reads a state that was stored; an unknown word means that the store is not ours. */
export function isProcessState(word: string): word is ProcessState {
  return Object.hasOwn(transitions, word);
}
