import { userInfo } from 'node:os';
import { execute, executeOrFail } from './command.js';

/** The ordinary user in whose name tests submit jobs and log in. */
export interface TestUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

export const isRoot = process.getuid?.() === 0;
const name = 'wherrytest';

/** As root: the user `wherrytest`, made when missing. Else: ourselves. */
export async function testUser(): Promise<TestUser> {
  if (!isRoot) {
    const { username, uid, gid, homedir } = userInfo();
    return { name: username, uid, gid, home: homedir };
  }
  return (await lookUp()) ?? (await make());
}

async function lookUp(): Promise<TestUser | undefined> {
  const { stdout, exitCode } = await execute(['getent', 'passwd', name]);
  if (exitCode !== 0) return undefined;
  const [, , uid, gid, , home] = stdout.trim().split(':');
  return { name, uid: Number(uid), gid: Number(gid), home: home ?? '' };
}

async function make(): Promise<TestUser> {
  const { exitCode, stderr } = await execute(['useradd', '-m', '-s', '/bin/bash', name]);
  // Exit code 9: another test process was faster.
  if (exitCode !== 0 && exitCode !== 9) throw new Error(`useradd ${name}: ${stderr}`);
  // A locked password makes sshd refuse keys too; `*` matches no password without being a lock.
  await executeOrFail(['usermod', '-p', '*', name]);
  const made = await lookUp();
  if (made === undefined) throw new Error(`useradd made no user ${name}`);
  return made;
}
