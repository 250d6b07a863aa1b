import { formatDuration, parseDuration } from '../plugin/units.js';
import { type ComputerConfig, computerSchema, type Limits } from './computer.js';
import { readCheckedDocument } from './document.js';
import type { Origin } from './issues.js';
import { readTextFile } from './text-file.js';
import { withoutDefaults, writeYaml } from './yaml-writing.js';

export interface ComputerFile {
  readonly config: ComputerConfig;
  /** For later checks of the same computer, such as `checkComputer`. */
  readonly origin: Origin;
}

/** Reads a computer file (`-`: standard input). */
export async function readComputerFile(path: string): Promise<ComputerFile> {
  return readComputerText(await readTextFile(path), path === '-' ? 'standard input' : path);
}

/** Reads the text of a computer file that was fetched from elsewhere; `source` names it in messages. */
export function readComputerText(text: string, source: string): ComputerFile {
  const { value, origin } = readCheckedDocument(text, { source, schema: computerSchema });
  return { config: value, origin };
}

/** The YAML text of a computer, without what is default; it reads back to the same value. */
export function writeComputer(config: ComputerConfig): string {
  const { label, transport, scheduler, workDirectory } = config;
  const always = { label, transport, scheduler, workDirectory };
  const written = withoutDefaults(config, always, computerSchema.parse(always), Object.keys(computerSchema.shape));
  return writeYaml({
    ...written,
    ...(config.resources === undefined ? {} : { resources: writtenResources(config.resources) }),
    ...('limits' in written ? { limits: writtenLimits(config.limits) } : {}),
  });
}

const intervals: ReadonlySet<string> = new Set(['minPollInterval', 'safeOpenInterval'] satisfies (keyof Limits)[]);

function writtenLimits(limits: Limits): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(limits).map(([key, value]) => [
      key,
      intervals.has(key) && typeof value === 'number' ? writtenInterval(value) : value,
    ]),
  );
}

/** `walltime: 1h30m`, `memoryPerNode: 64GiB`, where that reads back to the same. */
function writtenResources(resources: NonNullable<ComputerConfig['resources']>): Record<string, unknown> {
  const { walltime, memoryPerNode, ...counts } = resources;
  const gibibytes = (memoryPerNode ?? 0) / 2 ** 30;
  return {
    ...counts,
    ...(memoryPerNode === undefined
      ? {}
      : { memoryPerNode: Number.isInteger(gibibytes) ? `${gibibytes}GiB` : memoryPerNode }),
    ...(walltime === undefined
      ? {}
      : { walltime: parseDuration(formatDuration(walltime)) === walltime ? formatDuration(walltime) : walltime }),
  };
}

/** `30s` for whole seconds, else `1500ms`. */
function writtenInterval(milliseconds: number): string {
  const text = formatDuration(milliseconds / 1000);
  return parseDuration(text) * 1000 === milliseconds ? text : `${milliseconds}ms`;
}
