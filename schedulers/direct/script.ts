import { InputError, type JobHeader } from '../../src/plugin.js';

function fileName(name: string): string {
  if (/[\n\r\0]/.test(name)) throw new InputError('the name of an output file cannot hold a line break');
  return name;
}

/** Where the output goes; everything else about the job is said when it is submitted. */
export function header(job: JobHeader): string[] {
  return [`#DIRECT stdout ${fileName(job.stdout)}`, `#DIRECT stderr ${fileName(job.stderr)}`];
}
