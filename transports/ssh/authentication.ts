import type { AnyAuthMethod, AuthenticationType, ConnectConfig } from 'ssh2';
import { messageOf, type WherryError } from '../../src/plugin.js';
import { authenticationRefused } from './errors.js';
import { agentIdentities, agentWithOneKey, type FileIdentity, readIdentity } from './identities.js';

/** Whom to log in as, and with what. File names are absolute. */
export interface Login {
  readonly target: string;
  readonly user: string;
  readonly identityFiles: readonly string[];
  /** Files that the computer's own settings name: that one is missing is worth a word. */
  readonly namedFiles: readonly string[];
  readonly identitiesOnly: boolean;
  readonly agent: string | undefined;
  readonly passphrase: string | undefined;
  readonly certificateFiles: readonly string[];
}

/** One way to log in. */
export interface Candidate {
  readonly label: string;
  readonly method: AnyAuthMethod | { readonly type: 'none'; readonly username: string };
}

/** The course of one login. */
export interface Authentication {
  /** For `authHandler` of ssh2: the next way to try, false when there is none left. */
  readonly handler: ConnectConfig['authHandler'];
  /** Adds a sentence to the error that a failure would give. */
  note(text: string): void;
  refused(): WherryError;
}

/**
 * Collects what there is to log in with, in OpenSSH's order: the identity files, each signed for by the agent where it
 * holds the key, then the agent's other keys.
 */
export async function prepareAuthentication(login: Login, signal: AbortSignal): Promise<Authentication> {
  const notes = login.certificateFiles.map((file) => `${file} cannot be used: ssh2 knows no certificates`);
  const held = await heldKeys(login, notes, signal);
  const identities = await readIdentities(login, notes);
  const candidates: Candidate[] = [];
  const used = new Set<string>();
  for (const identity of identities) {
    const id = identity.publicKey?.toString('base64');
    if (id !== undefined && used.has(id)) continue;
    const inAgent = held.find((key) => key.id === id);
    if (inAgent) candidates.push(inAgent.candidate);
    else if (identity.key) candidates.push(fileCandidate(login, identity, identity.key));
    else if (identity.note) notes.push(identity.note);
    if (id !== undefined) used.add(id);
  }
  if (!login.identitiesOnly) candidates.push(...held.filter((key) => !used.has(key.id)).map((key) => key.candidate));
  return course(login, candidates, notes);
}

function course(login: Login, candidates: readonly Candidate[], notes: string[]): Authentication {
  const tried: string[] = [];
  let accepted: readonly string[] = [];
  // ssh2 hides the answers to agent keys; asking with nothing in hand at least tells what the server accepts.
  const question: Candidate = { label: '', method: { type: 'none', username: login.user } };
  let asked = false;
  const left = [...candidates];
  const next = (methods: readonly string[] | null, partial: boolean | null) => {
    if (methods) accepted = methods;
    if (partial) notes.push(`${tried.at(-1)} was accepted, but the server asks for more`);
    if (methods && !methods.includes('publickey')) return false;
    const candidate = left.shift() ?? (accepted.length === 0 && !asked ? question : undefined);
    if (candidate === undefined) return false;
    asked ||= candidate === question;
    if (candidate.label !== '') tried.push(candidate.label);
    return candidate.method;
  };
  return {
    // The published types know neither `false` nor the null of the first call.
    handler: ((methods: AuthenticationType[] | null, partial: boolean | null, done: (method: unknown) => void) => {
      done(next(methods, partial));
    }) as ConnectConfig['authHandler'],
    note: (text) => notes.push(text),
    refused: () =>
      authenticationRefused(login.target, {
        tried,
        notes,
        accepted,
        hadCertificate: login.certificateFiles.length > 0,
      }),
  };
}

interface HeldKey {
  readonly id: string;
  readonly candidate: Candidate;
}

async function heldKeys(login: Login, notes: string[], signal: AbortSignal): Promise<HeldKey[]> {
  const { agent, user } = login;
  if (agent === undefined) return [];
  try {
    const keys = await agentIdentities(agent, signal);
    return keys.map((key) => ({
      id: key.getPublicSSH().toString('base64'),
      candidate: {
        label: `${key.type} key "${key.comment ?? ''}" of the agent`,
        method: { type: 'agent', username: user, agent: agentWithOneKey(agent, key) },
      },
    }));
  } catch (error) {
    signal.throwIfAborted();
    notes.push(`the agent at ${agent} does not answer (${messageOf(error)})`);
    return [];
  }
}

async function readIdentities(login: Login, notes: string[]): Promise<FileIdentity[]> {
  const identities: FileIdentity[] = [];
  for (const file of login.identityFiles) {
    const identity = await readIdentity(file, login.passphrase);
    if (identity) identities.push(identity);
    else if (login.namedFiles.includes(file)) notes.push(`${file} does not exist`);
  }
  return identities;
}

function fileCandidate(login: Login, identity: FileIdentity, key: NonNullable<FileIdentity['key']>): Candidate {
  return {
    label: `${key.type} key ${identity.file}`,
    method: { type: 'publickey', username: login.user, key },
  };
}
