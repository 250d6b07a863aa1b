/** How the function of a workflow ended. */
export type FunctionEnd =
  | { readonly kind: 'returned'; readonly value: unknown }
  | { readonly kind: 'exited'; readonly label: string; readonly parameters: Readonly<Record<string, string | number>> }
  | { readonly kind: 'threw'; readonly error: unknown };

/** Calls the function of a workflow. Never fails. */
export async function endOf(work: () => Promise<unknown>): Promise<FunctionEnd> {
  try {
    return { kind: 'returned', value: await work() };
  } catch (error) {
    if (error instanceof ExitSignal) return { kind: 'exited', label: error.label, parameters: error.parameters };
    return { kind: 'threw', error };
  }
}

/** Thrown by `exit`, to leave the function of a workflow from wherever it is. */
export class ExitSignal extends Error {
  readonly label: string;
  readonly parameters: Readonly<Record<string, string | number>>;

  constructor(label: string, parameters: Readonly<Record<string, string | number>>) {
    super(`the workflow exits with ${label}`);
    this.label = label;
    this.parameters = parameters;
  }
}
