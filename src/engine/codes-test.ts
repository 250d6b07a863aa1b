import { deadlines } from '../calcjob/context.js';
import { type CodeConfig, kindOf } from '../config/code.js';
import { messageOf, WherryError } from '../errors.js';
import { quote, quoteWithVariables } from '../plugin/shell.js';
import type { Repository } from '../store/repository.js';
import type { Store } from '../store/store.js';
import type { Code } from './codes.js';
import type { UseConnection } from './computer-access.js';
import type { LoadedComputer } from './loaded-computer.js';
import type { CheckResult } from './test-computer.js';

/** What the script below begins its answers with: a prepend may print anything. */
const mark = 'wherry-code:';

/**
 * Looks on its computer whether what a code names is there, after the lines that come before its jobs. Of a container
 * that is its engine and, where it is a file, its image; nothing is run in it.
 */
export async function testCode(
  store: Store,
  computerId: number,
  codeId: number,
  use: UseConnection,
  signal: AbortSignal,
): Promise<CheckResult[]> {
  const row = await store
    .selectFrom('codes')
    .select('config')
    .where('id', '=', codeId)
    .where('computer_id', '=', computerId)
    .executeTakeFirst();
  if (row === undefined) throw new WherryError('not-found', `there is no code ${codeId} on this computer`);
  const code = JSON.parse(row.config) as CodeConfig;
  return use(signal, async (connection, { config }, held) => {
    const interpreter = config.shebang.slice(2).trim().split(/\s+/).map(quote).join(' ');
    const began = performance.now();
    const script = checkScript(code, config);
    const limits = { timeout: deadlines.command, signal: held, stdin: script };
    const { stdout, stderr, exitCode } = await connection.exec(interpreter, limits);
    const durationMs = Math.round(performance.now() - began);
    const answers = [...stdout.matchAll(new RegExp(`^${mark} (\\w+) (ok|missing) (.*)$`, 'gm'))];
    const results = answers.map(([, name = '', word, what = '']): CheckResult => {
      const ok = word === 'ok';
      return { name, ok, detail: ok ? what : `${what} is not there, or may not be run`, hint: null, durationMs };
    });
    if (results.length > 0) return results;
    const said = stderr.trim().slice(-500);
    const detail = `the lines before the job ended the script (exit code ${exitCode})${said && `: ${said}`}`;
    return [{ name: 'prepend', ok: false, detail, hint: null, durationMs }];
  });
}

function checkScript(code: CodeConfig, computer: LoadedComputer['config']): string {
  const written = code.doubleQuotes ? quoteWithVariables : quote;
  const answer = (name: string, test: string, what: string) =>
    `if ${test}; then echo ${mark} ${name} ok ${what}; else echo ${mark} ${name} missing ${what}; fi`;
  const [engine = ''] = code.engine ?? [];
  const executable = written(code.executable);
  const image = written(code.image ?? '');
  const checks =
    kindOf(code) === 'installed'
      ? [answer('executable', `[ -f ${executable} ] && [ -x ${executable} ]`, executable)]
      : [
          answer('engine', `command -v ${written(engine)} >/dev/null`, written(engine)),
          ...(code.image?.startsWith('/') ? [answer('image', `[ -e ${image} ]`, image)] : []),
        ];
  return ['{', ':', computer.prepend, code.prepend, '} >&2 </dev/null', ...checks, ''].join('\n');
}

/** Looks whether everything that a portable code brings is in the repository. */
export async function testPortableCode({ files }: Code, repository: Repository): Promise<CheckResult[]> {
  const began = performance.now();
  const end = (ok: boolean, detail: string, hint: string | null): CheckResult[] => [
    { name: 'files', ok, detail, hint, durationMs: Math.round(performance.now() - began) },
  ];
  try {
    for (const { sha256 } of files) await repository.locate(sha256);
    return end(true, `${files.length} in the repository`, null);
  } catch (error) {
    return end(false, messageOf(error), error instanceof WherryError ? (error.hint ?? null) : null);
  }
}
