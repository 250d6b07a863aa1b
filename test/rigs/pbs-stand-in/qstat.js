import { writeFileSync } from 'node:fs';
import { attributes } from './attributes.js';
import { schedule } from './schedule.js';
import { allJobs, fail, jobNumber, locked, meetServer, now, readJob, server } from './state.js';

const words = process.argv.slice(2);
let full = false;
let history = false;
let format = 'text';
let user;
const ids = [];
for (let index = 0; index < words.length; index++) {
  const word = words[index];
  if (word === '-f') full = true;
  else if (word === '-x') history = true;
  else if (word === '-t' || word === '-w') continue;
  else if (word === '-F') format = words[++index];
  else if (word === '-u') user = words[++index];
  else if (word === '-xf' || word === '-fx') full = history = true;
  else if (word.startsWith('-')) fail(2, `qstat: the stand-in knows no ${word}`);
  else ids.push(word);
}
if (!['text', 'json'].includes(format)) fail(1, `qstat: the stand-in knows no format ${format}`);
for (const id of ids) {
  if (!/^\d/.test(id)) fail(170, `qstat: Unknown queue destination ${id}`);
  if (jobNumber(id) === undefined) fail(1, `qstat: illegally formed job identifier: ${id}`);
}

meetServer('qstat', 255);
locked(schedule);
const { jobs, complaints, code } = choose();
const text = format === 'json' ? json(jobs) : full ? fullText(jobs) : table(jobs);
writeFileSync(1, text);
if (complaints) writeFileSync(2, complaints);
process.exitCode = code;

function choose() {
  if (ids.length === 0) {
    const chosen = allJobs().filter(
      (job) => (history || job.state !== 'F') && (user === undefined || job.user === user),
    );
    return { jobs: chosen, complaints: '', code: 0 };
  }
  const answer = { jobs: [], complaints: '', code: 0 };
  for (const id of ids) {
    const job = readJob(jobNumber(id));
    if (job === undefined) {
      answer.complaints += `qstat: Unknown Job Id ${jobNumber(id)}.${server}\n`;
      answer.code = 153;
    } else if (job.state === 'F' && !history) {
      answer.complaints += `qstat: ${job.id} Job has finished, use -x or -H to obtain historical job information\n`;
      answer.code = 35;
    } else {
      answer.jobs.push(job);
    }
  }
  return answer;
}

function json(jobs) {
  const listed = Object.fromEntries(jobs.map((job) => [job.id, attributes(job)]));
  const answer = { timestamp: now(), pbs_version: '23.06.06', pbs_server: server };
  if (jobs.length > 0) answer.Jobs = listed;
  return `${value(answer, '')}\n`;
}

/** JSON with PBS's own white space. */
function value(one, indent) {
  if (typeof one !== 'object') return JSON.stringify(one);
  const inner = `${indent}\t`;
  const lines = Object.entries(one)
    .filter((entry) => entry[1] !== undefined)
    .map(([name, part]) => `${inner}${JSON.stringify(name)}:\t${value(part, inner)}`);
  return `{\n${lines.join(',\n')}\n${indent}}`;
}

function fullText(jobs) {
  return jobs.map((job) => `Job Id: ${job.id}\n${flat(attributes(job)).join('')}\n`).join('');
}

function flat(fields) {
  return Object.entries(fields).flatMap(([name, part]) => {
    if (part === undefined) return [];
    if (name === 'Variable_List') {
      return [
        wrap(
          `    ${name} = ${Object.entries(part)
            .map((pair) => pair.join('='))
            .join(',')}`,
        ),
      ];
    }
    if (typeof part !== 'object') return [wrap(`    ${name} = ${part}`)];
    return Object.entries(part).map(([inner, one]) => wrap(`    ${name}.${inner} = ${one}`));
  });
}

/** Long lines go on after a tabulator: broken behind commas, else at the width itself. */
function wrap(line) {
  const width = 79;
  const pieces = line.includes(',') ? line.split(/(?<=,)/) : [line];
  let text = '';
  let column = 0;
  for (const piece of pieces) {
    if (column > 0 && column + piece.length > width) {
      text += '\n\t';
      column = 8;
    }
    let rest = piece;
    while (column + rest.length > width) {
      text += `${rest.slice(0, width - column)}\n\t`;
      rest = rest.slice(width - column);
      column = 8;
    }
    text += rest;
    column += rest.length;
  }
  return `${text}\n`;
}

function table(jobs) {
  if (jobs.length === 0) return '';
  const head = `Job id            Name             User              Time Use S Queue
----------------  ---------------- ----------------  -------- - -----
`;
  const row = (job) => {
    const time = job.stime === undefined ? '0' : '00:00:00';
    const name = job.name.length > 15 ? `${job.name.slice(0, 15)}*` : job.name;
    return `${job.id.padEnd(17)} ${name.padEnd(16)} ${job.user.padEnd(16)}  ${time.padStart(8)} ${job.state} ${job.queue.padEnd(15)} \n`;
  };
  return head + jobs.map(row).join('');
}
