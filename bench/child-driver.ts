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

const program = fileURLToPath(new URL('./driver.js', import.meta.url));

/** Drives everything that is in a home, in a process of its own; `nodeOptions` are for profiles by hand. */
export async function driveInChild(home: string, nodeOptions: readonly string[] = []): Promise<DriverReport> {
  const options = ['--max-old-space-size=2000', ...nodeOptions, ...(process.env.WHERRY_BENCH_NODE?.split(' ') ?? [])];
  const child = spawn(process.execPath, [...options, program, home], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0) throw new Error(`the driver ended with ${code}: ${text}`);
  const lines = text.trimEnd().split('\n');
  // Options of node may make it talk; the report comes last.
  const report = lines.pop() ?? '';
  if (lines.length > 0) console.error(lines.join('\n'));
  return JSON.parse(report) as DriverReport;
}
