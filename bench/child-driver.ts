import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What one driver reports when everything has ended. */
export interface DriverReport {
  /** From before the profile was opened to the end of the last job. */
  readonly seconds: number;
  /** Processor time of the driver alone. */
  readonly cpuSeconds: number;
  /** Peak resident memory of the driver alone. */
  readonly peakMegabytes: number;
}

/** Drives everything that is in a home, in a process of its own. */
export function driveInChild(home: string): Promise<DriverReport> {
  return runChild<DriverReport>('driver', [home]);
}

/** Runs a program of this folder as a process of its own; gives what it reports in its last line, as JSON. */
export async function runChild<Report>(
  name: string,
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Report> {
  const program = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
  const options = ['--max-old-space-size=2000', ...(process.env.WHERRY_BENCH_NODE?.split(' ') ?? [])];
  const child = spawn(process.execPath, [...options, program, ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...environment },
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0) throw new Error(`${name} ended with ${code}: ${text}`);
  const lines = text.trimEnd().split('\n');
  // Options of node may make it talk; the report comes last.
  const report = lines.pop() ?? '';
  if (lines.length > 0) console.error(lines.join('\n'));
  return JSON.parse(report) as Report;
}
