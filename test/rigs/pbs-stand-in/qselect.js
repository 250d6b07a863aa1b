import { writeFileSync } from 'node:fs';
import { allJobs, fail, meetServer } from './state.js';

const words = process.argv.slice(2);
let history = false;
const wanted = {};
for (let index = 0; index < words.length; index++) {
  if (words[index] === '-x') history = true;
  else if (words[index] === '-u') wanted.user = words[++index];
  else if (words[index] === '-N') wanted.name = words[++index];
  else fail(2, `qselect: the stand-in knows no ${words[index]}`);
}

meetServer('qselect', 162);
const chosen = allJobs().filter(
  (job) => (history || job.state !== 'F') && Object.entries(wanted).every(([field, text]) => job[field] === text),
);
writeFileSync(1, chosen.map((job) => `${job.id}\n`).join(''));
