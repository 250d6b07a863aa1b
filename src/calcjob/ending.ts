import type { Job } from '../config/job.js';
import type { ExitCode } from '../process/exit-codes.js';
import type { Store } from '../store/store.js';
import type { ProcessRow } from '../store/tables.js';
import { readState } from './context.js';
import { decisionOf, exitByMonitor } from './monitors.js';
import { stashedFiles, withStash } from './stash.js';

/** What is settled of the end of a calcjob, whatever reads its results. */
export interface Ending {
  /** Shall no code of a user read the results? There are none, or a monitor has said so. */
  readonly unread: boolean;
  /** How the process ends, given what its job or the code that reads its results says. */
  exit(said: ExitCode): ExitCode;
  /** Outputs beside its own. */
  readonly outputs: Readonly<Record<string, unknown>>;
}

/** What refusals, monitors and a stash mean for the end of a calcjob. Errors: those of the store. */
export async function endingOf(store: Store, row: ProcessRow, job: Job): Promise<Ending> {
  const state = readState(row);
  const { refusal } = state;
  if (refusal !== undefined) return { unread: true, exit: () => refusal, outputs: {} };
  const decision = await decisionOf(store, row, job);
  return {
    unread: decision?.parse === false,
    exit: (said) => exitByMonitor(withStash(said, state), decision),
    outputs: { ...stashedFiles(state), ...decision?.outputs },
  };
}
