/** What the stand-in's commands share: the jobs on disk, the lock, and the faults that a test may inject. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const server = 'pbshead';
export const root = process.env.PBS_STAND_IN;
if (!root) throw new Error('PBS_STAND_IN does not name the directory of the stand-in');

const pause = new Int32Array(new SharedArrayBuffer(4));

/** Holds this process up, without any turn of the event loop. */
export function sleep(milliseconds) {
  Atomics.wait(pause, 0, 0, milliseconds);
}

function readText(file, otherwise) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return otherwise;
    throw error;
  }
}

/** Runs `work` while nobody else changes jobs. A lock that is ten seconds old belongs to somebody who was killed. */
export function locked(work) {
  const lock = join(root, 'lock');
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      breakOldLock(lock);
      sleep(5);
    }
  }
  try {
    return work();
  } finally {
    rmdirSync(lock);
  }
}

function breakOldLock(lock) {
  try {
    if (Date.now() - statSync(lock).mtimeMs > 10_000) rmdirSync(lock);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
}

/** Cpus of the one node, and the most jobs a user may have in `workq`. */
export function configuration() {
  return JSON.parse(readText(join(root, 'configuration.json'), '{}'));
}

export function nextNumber() {
  const number = Number(readText(join(root, 'sequence'), '0'));
  writeFileSync(join(root, 'sequence'), String(number + 1));
  return number;
}

const jobFile = (number) => join(root, 'jobs', `${number}.json`);

export function readJob(number) {
  const text = readText(jobFile(number), undefined);
  return text === undefined ? undefined : JSON.parse(text);
}

/** To be called with the lock held. */
export function writeJob(job) {
  const file = jobFile(job.number);
  writeFileSync(`${file}.new`, JSON.stringify(job));
  renameSync(`${file}.new`, file);
}

export function allJobs() {
  return readdirSync(join(root, 'jobs'))
    .filter((name) => name.endsWith('.json'))
    .map((name) => readJob(Number.parseInt(name, 10)))
    .sort((one, other) => one.number - other.number);
}

/** The place of a job's files: `SC` its script, `OU` and `ER` what it printed. */
export function spoolFile(job, suffix) {
  return join(root, 'spool', `${job.number}.${server}.${suffix}`);
}

export const now = () => Math.floor(Date.now() / 1000);

/** `down`, `hang` or `hang-after-accept`, from the environment or from the file that a test writes. */
export function fault() {
  return process.env.PBS_STAND_IN_FAULT || readText(join(root, 'fault'), '').trim();
}

/** Waits for as long as the fault lasts. */
export function whileFault(name) {
  while (fault() === name) sleep(50);
}

/** Does what a client does when the server is down or hangs. */
export function meetServer(program, refusedCode) {
  if (fault() === 'down') {
    const words =
      program === 'qdel'
        ? `Couldn't connect to cluster: ${server}`
        : `${program}: cannot connect to server ${server} (errno=15010)`;
    fail(refusedCode, `Connection refused\n${words}`);
  }
  whileFault('hang');
}

export function fail(code, message) {
  writeFileSync(2, `${message}\n`);
  process.exit(code);
}

/** The number in `12` or `12.pbshead`; undefined for anything else. */
export function jobNumber(text) {
  const match = new RegExp(`^(\\d+)(\\.${server})?$`).exec(text);
  return match ? Number(match[1]) : undefined;
}
