import type { StoredInput } from '../calcjob/create.js';
import { programsOf, runsUnderMpi } from '../calcjob/programs.js';
import { type CodeConfig, fullLabel } from '../config/code.js';
import type { ComputerConfig } from '../config/computer.js';
import { issueAt, issuesError, type Origin, type Path } from '../config/issues.js';
import type { Job } from '../config/job.js';
import { InputError, type InputIssue } from '../errors.js';
import { ancestorsOf } from '../plugin/paths.js';
import type { Store } from '../store/store.js';
import { type Code, chooseCode, listCodes } from './codes.js';

/**
 * Finds the codes that a job names and puts their definitions into it, so that it needs them no more. A job without a
 * computer gets that of its codes. Errors: an InputError for codes that are not there or belong to different computers.
 * @returns the job, and the files that its portable codes bring with them
 */
export async function resolveCodes(
  store: Store,
  job: Job,
  origin: Origin,
): Promise<{ readonly job: Job; readonly files: readonly StoredInput[] }> {
  const named = namesIn(job);
  if (named.length === 0) return { job, files: [] };
  const known = await listCodes(store);
  const issues: InputIssue[] = [];
  const hints: string[] = [];
  const found = new Map<string, Code>();
  const computer = job.computer ?? named.map(([, name]) => name.split('@')[1]).find((label) => label !== undefined);
  for (const [path, name] of named) {
    const code = chooseCode(known, name, computer);
    if ('problem' in code) {
      issues.push(issueAt(origin, path, code.problem));
      hints.push(code.hint);
    } else found.set(name, code);
  }
  const home =
    computer ?? [...found.values()].map(({ config }) => config.computer).find((label) => label !== undefined);
  for (const [path, name] of named) {
    const { config } = found.get(name) ?? {};
    if (config?.computer === undefined || config.computer === home) continue;
    issues.push(issueAt(origin, path, `${fullLabel(config)} is on ${config.computer}, and the job on ${home}`));
  }
  if (issues.length > 0) {
    const { message, issues: all } = issuesError(origin.source, issues);
    throw new InputError(message, all, hints[0] === undefined ? {} : { hint: hints[0] });
  }
  const codeDefinitions: Record<string, CodeConfig> = {};
  for (const [name, { config }] of found) codeDefinitions[name] = config;
  return {
    job: { ...job, ...(home === undefined ? {} : { computer: home }), codeDefinitions },
    files: [...new Set(found.values())].flatMap(({ files }) => files),
  };
}

function namesIn({ code, codes = [] }: Job): (readonly [Path, string])[] {
  if (code !== undefined) return [[['code'], code]];
  return codes.map((call, index) => [['codes', index, 'code'], call.code]);
}

/** What job, codes and computer say of MPI must agree. */
export function mpiIssues(job: Job, computer: ComputerConfig, origin: Origin): InputIssue[] {
  const issues: InputIssue[] = [];
  const programs = programsOf(job);
  for (const program of programs) {
    const own: Path = program.mpi === undefined ? ['mpi'] : [...program.path, 'mpi'];
    const code = program.code?.mpi;
    const asked = program.mpi ?? job.mpi;
    if (program.mpi !== undefined && job.mpi !== undefined && program.mpi !== job.mpi) {
      issues.push(issueAt(origin, own, `is ${program.mpi}, and ${job.mpi} for the whole job`));
    }
    if (program.code !== undefined && asked !== undefined && code !== undefined && asked !== code) {
      issues.push(issueAt(origin, own, `is ${asked}, but the code ${fullLabel(program.code)} says ${code}`));
    } else if (runsUnderMpi(program, job, computer) && computer.mpirun.length === 0) {
      const said =
        asked === undefined && program.code ? `the code ${fullLabel(program.code)} runs under MPI` : 'is true';
      const change = `wherry computer edit ${computer.label} --mpirun "mpirun -n {totalTasks}"`;
      issues.push(issueAt(origin, own, `${said}, but ${computer.label} has no mpirun: give it one with ${change}`));
    }
  }
  const extra = programs.find(({ mpirunExtra }) => mpirunExtra.length > 0);
  if (extra !== undefined && !programs.some((program) => runsUnderMpi(program, job, computer))) {
    const place = (job.mpirunExtra?.length ?? 0) > 0 ? [] : extra.path;
    issues.push(issueAt(origin, [...place, 'mpirunExtra'], 'says something to an mpirun that is not used'));
  }
  return issues;
}

/** What a portable code brings must not stand where the job, or another code, puts something else. */
export function carriedIssues(
  carried: readonly StoredInput[],
  sent: readonly { readonly path: string }[],
  origin: Origin,
): InputIssue[] {
  const ofJob = new Set(sent.map(({ path }) => path));
  const contents = new Map(carried.map(({ path, sha256 }) => [path, sha256]));
  const all = [...ofJob, ...contents.keys()];
  const folders = new Set(all.flatMap(ancestorsOf));
  return carried
    .filter(
      ({ path, sha256 }) =>
        ofJob.has(path) ||
        contents.get(path) !== sha256 ||
        folders.has(path) ||
        ancestorsOf(path).some((folder) => ofJob.has(folder) || contents.has(folder)),
    )
    .map(({ path }) => {
      const place = ofJob.has(path) ? ['files', path] : [];
      return issueAt(
        origin,
        place,
        `${JSON.stringify(path)} comes with a code, and something else stands there`,
        'key',
      );
    });
}
