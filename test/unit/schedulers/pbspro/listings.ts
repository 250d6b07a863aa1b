import type { ExecResult } from '../../../../src/plugin.js';
import { type Capture, resultWith } from '../../../conformance/captures.js';

/** The answer of our listing around what qstat gave when it was captured by itself. */
export function listing(...captures: readonly Pick<Capture, 'result'>[]): ExecResult {
  const answers = captures.map(({ result }) => `# begin jobs\n${result.stdout}# end jobs ${result.exitCode}\n`);
  return resultWith({
    stdout: `${answers.join('')}# end\n`,
    stderr: captures.map(({ result }) => result.stderr).join(''),
  });
}

/** A listing of these jobs as JSON. */
export function listingOf(jobs: Readonly<Record<string, object>>): ExecResult {
  return listing({ result: resultWith({ stdout: `${JSON.stringify({ Jobs: jobs }, undefined, '\t')}\n` }) });
}
