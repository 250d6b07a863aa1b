import { readFile } from 'node:fs/promises';
import ssh2, { type BaseAgent, type ParsedKey } from 'ssh2';
import { messageOf } from '../../src/plugin.js';
import { unlessAborted } from './scope.js';

const { createAgent, utils } = ssh2;

/** A key of a file. Without `key` it can only be signed for by an agent that holds `publicKey`. */
export interface FileIdentity {
  readonly file: string;
  readonly key: ParsedKey | undefined;
  readonly publicKey: Buffer | undefined;
  /** Why the file cannot be used by itself. */
  readonly note: string | undefined;
}

/** Reads a private key; one that is missing, unreadable or locked gives a note instead of an error. */
export async function readIdentity(file: string, passphrase: string | undefined): Promise<FileIdentity | undefined> {
  let content: Buffer;
  try {
    content = await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    return { file, key: undefined, publicKey: undefined, note: `${file} cannot be read: ${messageOf(error)}` };
  }
  const key = parseKey(content, passphrase);
  if (!(key instanceof Error)) {
    const publicKey = key.getPublicSSH();
    if (key.isPrivateKey()) return { file, key, publicKey, note: undefined };
    return { file, key: undefined, publicKey, note: `${file} is a public key that the agent does not hold` };
  }
  const publicKey = await readPublicKey(`${file}.pub`);
  return { file, key: undefined, publicKey, note: `${file} ${whyUnusable(key.message, passphrase !== undefined)}` };
}

/** Public keys that the agent at `socket` holds. */
export async function agentIdentities(socket: string, signal: AbortSignal): Promise<ParsedKey[]> {
  const keys = await unlessAborted(
    signal,
    new Promise<ParsedKey[]>((resolve, reject) => {
      createAgent(socket).getIdentities((error, found) => {
        if (error) reject(error);
        else resolve((found ?? []) as ParsedKey[]);
      });
    }),
  );
  return keys;
}

/** An agent that shows one key only, so that each key is tried, counted and reported by itself. */
export function agentWithOneKey(socket: string, key: ParsedKey): BaseAgent {
  const agent = createAgent(socket);
  agent.getIdentities = (done) => done(undefined, [key]);
  return agent;
}

async function readPublicKey(file: string): Promise<Buffer | undefined> {
  try {
    const key = parseKey(await readFile(file), undefined);
    return key instanceof Error ? undefined : key.getPublicSSH();
  } catch {
    // The public half only serves to find the key in the agent; that it is absent is no news.
    return undefined;
  }
}

function parseKey(content: Buffer, passphrase: string | undefined): ParsedKey | Error {
  const parsed = utils.parseKey(content, passphrase);
  // OpenSSH's own format gives a list of one.
  return Array.isArray(parsed) ? (parsed[0] ?? new Error('it holds no key')) : parsed;
}

function whyUnusable(message: string, hadPassphrase: boolean): string {
  if (/no passphrase given/i.test(message)) {
    return 'is locked by a passphrase: load it into the agent (ssh-add), or name passphraseFile or passphraseEnvironment';
  }
  if (hadPassphrase && /integrity|decrypt|passphrase|malformed/i.test(message)) {
    return 'cannot be unlocked by the passphrase that was given';
  }
  return `is no key that this transport can use (${message}); hardware keys need "transport: openssh"`;
}
