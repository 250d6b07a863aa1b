/**
 * Shows Wherry at work on this machine: six little calculations, one of which fails on purpose. Needs the build and
 * no network; everything stays in a folder below .work.
 */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const wherry = fileURLToPath(new URL('../dist/src/cli/main.js', import.meta.url));

/** Runs one command line of Wherry in the folder of the demonstration and shows it. */
async function show(folder, ...words) {
  console.log(`\n$ wherry ${words.join(' ')}`);
  const child = spawn(process.execPath, [wherry, ...words], {
    cwd: folder,
    env: { ...process.env, WHERRY_HOME: path.join(folder, 'home') },
    stdio: 'inherit',
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
}

/** Expects a command to end with this exit code: a demonstration that goes wrong must say so. */
async function expectExit(expected, folder, ...words) {
  const code = await show(folder, ...words);
  if (code !== expected) throw new Error(`wherry ${words[0]} ended with ${code} instead of ${expected}`);
}

/** A job that adds up the numbers of its input file. */
const sum = (number) => `computer: localhost
label: sum-${number}
command: [awk, "{ total += $1 } END { print total }", numbers.txt]
files: { numbers.txt: ./numbers-${number}.txt }
stdout: sum.txt
resources: { walltime: 1m }
`;

const failing = `computer: localhost
label: broken
command: [sh, -c, "echo this one fails on purpose >&2; exit 3"]
`;

async function writeJobs(folder) {
  const names = [];
  for (let number = 1; number <= 5; number++) {
    const lines = Array.from({ length: 1000 * number }, (_, index) => `${index + 1}\n`);
    await writeFile(path.join(folder, `numbers-${number}.txt`), lines.join(''));
    await writeFile(path.join(folder, `sum-${number}.yaml`), sum(number));
    names.push(`sum-${number}.yaml`);
  }
  await writeFile(path.join(folder, 'broken.yaml'), failing);
  return [...names, 'broken.yaml'];
}

const work = path.resolve('.work');
await mkdir(work, { recursive: true });
const folder = await mkdtemp(path.join(work, 'demo-'));
const jobs = await writeJobs(folder);
console.log(`Six calculations on this machine, in ${folder}. The last one fails on purpose.`);

// Exit code 1: one of the six failed.
await expectExit(1, folder, 'run', ...jobs);
await expectExit(0, folder, 'files', 'ls', '1');
await expectExit(0, folder, 'files', 'cat', '1', 'sum.txt');
await expectExit(0, folder, 'files', 'get', '1');
await expectExit(0, folder, 'report', '6');

const here = path.relative(process.cwd(), folder);
console.log(`
The results of process 1 are in ${here}/sum-1; everything else is kept in ${here}/home.

What to try next:
  export WHERRY_HOME=${folder}/home
  alias wherry=${wherry}
  wherry ps                              what there is
  wherry show 3                          everything known of one calculation
  wherry run --computer localhost -- hostname
  wherry computer add                    a cluster of your own, by questions
  wherry --help                          the rest

Without the alias: node ${path.relative(process.cwd(), wherry)} ps. Remove it all with: rm -r ${here}`);
