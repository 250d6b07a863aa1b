import type { ProcessSummary } from '../engine/views.js';
import { nameOf, remark, stateText } from './process-text.js';
import { cut } from './table.js';
import { paintTalk, say, terminalWidth } from './terminal.js';

/** Tells on stderr how processes get on. */
export interface Progress extends Disposable {
  show(summaries: readonly ProcessSummary[]): void;
  /** A sentence between the progress. */
  note(sentence: string): void;
}

/** With more processes than this only their ends are told one by one. */
const fewProcesses = 20;

/** On a terminal a line of counts stays at the bottom; elsewhere only changes are printed. */
export function startProgress(): Progress {
  const terminal = process.stderr.isTTY === true && process.env.TERM !== 'dumb';
  const known = new Map<number, string>();
  let bottom = '';
  const clear = () => {
    if (bottom !== '') process.stderr.write('\r\u001b[K');
  };
  const draw = () => {
    if (bottom !== '') process.stderr.write(bottom);
  };
  const note = (sentence: string) => {
    clear();
    say(sentence);
    draw();
  };
  return {
    note,
    show(summaries) {
      for (const summary of summaries) {
        const now = told(summary);
        if (known.get(summary.id) === now) continue;
        known.set(summary.id, now);
        if (summary.endedAt !== null || summaries.length <= fewProcesses) note(now);
      }
      if (!terminal) return;
      const next = paintTalk.dim(cut(counts(summaries), (terminalWidth(process.stderr) ?? 80) - 1));
      if (next === bottom) return;
      clear();
      bottom = next;
      draw();
    },
    [Symbol.dispose]() {
      clear();
      bottom = '';
    },
  };
}

function told(summary: ProcessSummary): string {
  const why = remark(summary);
  const line = `${nameOf(summary)}: ${stateText(summary)}${why === '' ? '' : `: ${why}`}`;
  if (summary.endedAt === null) return line;
  return summary.exitStatus === 0 && summary.state === 'finished' ? paintTalk.green(line) : paintTalk.red(line);
}

/** `2 of 6 ended; 3 waiting update, 1 running upload`. */
export function counts(summaries: readonly ProcessSummary[]): string {
  const living = new Map<string, number>();
  for (const summary of summaries) {
    if (summary.endedAt !== null) continue;
    const text = stateText(summary);
    living.set(text, (living.get(text) ?? 0) + 1);
  }
  const ended = summaries.filter((summary) => summary.endedAt !== null).length;
  const parts = [...living].map(([text, count]) => `${count} ${text}`);
  return [`${ended} of ${summaries.length} ended`, parts.join(', ')].filter((part) => part !== '').join('; ');
}
