import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { execute, executeOrFail } from './command.js';
import { isRoot } from './test-user.js';

/** Debian packages with the real programs that integration tests run. */
export const packageNames = [
  'openssh-server',
  'openssh-client',
  'slurmctld',
  'slurmd',
  'slurm-client',
  'slurmdbd',
  'munge',
  'mariadb-server',
  'rsync',
  'rabbitmq-server',
  'postgresql',
  'iproute2',
  'libfaketime',
] as const;
export type PackageName = (typeof packageNames)[number];

const policyFile = '/usr/sbin/policy-rc.d';
const options = ['--no-install-recommends', '-o', 'DPkg::Lock::Timeout=600'];

/**
 * Makes sure that these Debian packages are installed: as root or with password-less sudo they are installed, with no
 * daemon started by it; else this fails with the command to give.
 */
export async function ensurePackages(names: readonly PackageName[]): Promise<void> {
  const missing = await missingPackages(names);
  if (missing.length === 0) return;
  const prefix = isRoot ? [] : ['sudo', '-n'];
  const install = ['apt-get', 'install', '-y', ...options, ...missing];
  if (!isRoot && !(await hasSudo())) {
    throw new Error(`packages are missing: ${missing.join(' ')}\ninstall them with: sudo ${install.join(' ')}`);
  }
  const apt = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive'];
  const timeout = 900_000;
  const madePolicy = await forbidServiceStarts(prefix);
  try {
    await executeOrFail([...apt, 'apt-get', 'update', '-q', '-o', 'DPkg::Lock::Timeout=600'], { timeout });
    await executeOrFail([...apt, ...install], { timeout });
  } finally {
    if (madePolicy) await removePolicy(prefix);
  }
  const still = await missingPackages(names);
  if (still.length > 0) throw new Error(`apt-get did not install: ${still.join(' ')}`);
}

async function missingPackages(names: readonly PackageName[]): Promise<PackageName[]> {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg's own placeholders
  const format = '${Package} ${db:Status-Status}\n';
  // dpkg-query exits with 1 when one of the names is unknown and still lists the others.
  const { stdout } = await execute(['dpkg-query', '-W', '-f', format, ...names]);
  const installed = new Set(stdout.split('\n'));
  return names.filter((name) => !installed.has(`${name} installed`));
}

async function hasSudo(): Promise<boolean> {
  if (!existsSync('/usr/bin/sudo')) return false;
  return (await execute(['sudo', '-n', 'true'])).exitCode === 0;
}

/** Debian's way to keep a package from starting its daemon: a policy script that exits with 101. */
async function forbidServiceStarts(prefix: readonly string[]): Promise<boolean> {
  if (existsSync(policyFile)) return false;
  const content = '#!/bin/sh\nexit 101\n';
  if (prefix.length === 0) writeFileSync(policyFile, content, { mode: 0o755 });
  else {
    await executeOrFail([...prefix, 'tee', policyFile], { input: content });
    await executeOrFail([...prefix, 'chmod', '755', policyFile]);
  }
  return true;
}

async function removePolicy(prefix: readonly string[]): Promise<void> {
  if (prefix.length === 0) rmSync(policyFile, { force: true });
  else await executeOrFail([...prefix, 'rm', '-f', policyFile]);
}

// biome-ignore lint/style/noDefaultExport: vitest asks for it
export default async function setup(): Promise<void> {
  await ensurePackages(packageNames);
}
