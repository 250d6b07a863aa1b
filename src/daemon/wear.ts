import type { DaemonSettings } from '../config/daemon-settings.js';

/** How much younger than `maxAge` a worker may be when it is replaced. */
const ageVariance = 0.1;
/** So many heartbeats in a row tell that it is no spike. */
const heavyHeartbeats = 5;
/** Beyond so many times the limit nobody waits for anything. */
const urgentFactor = 2;

/** Why a worker shall be replaced. */
export interface WearVerdict {
  readonly why: string;
  /** Not to wait until another is ready. */
  readonly urgent: boolean;
}

/** Judges how worn one worker is, from its start to its end. */
export class Wear {
  readonly #longestAge: number;
  readonly #mostMemory: number;
  #heavy = 0;
  #memory = 0;

  /** @param random between 0 and 1: workers that were started together are not replaced together */
  constructor({ maxAge, maxMemory }: Pick<DaemonSettings, 'maxAge' | 'maxMemory'>, random: number) {
    this.#longestAge = (maxAge ?? Number.POSITIVE_INFINITY) * (1 - ageVariance * random);
    this.#mostMemory = maxMemory ?? Number.POSITIVE_INFINITY;
  }

  /** Takes in the memory of a heartbeat, in bytes. */
  weigh(memory: number): void {
    this.#memory = memory;
    this.#heavy = memory > this.#mostMemory ? this.#heavy + 1 : 0;
  }

  /** @param age milliseconds since its start */
  verdict(age: number): WearVerdict | undefined {
    const limit = `${megabytes(this.#memory)} MB of memory, where ${megabytes(this.#mostMemory)} MB are allowed`;
    if (this.#memory > urgentFactor * this.#mostMemory) return { why: limit, urgent: true };
    if (this.#heavy >= heavyHeartbeats) return { why: limit, urgent: false };
    if (age >= this.#longestAge) return { why: `its age (${Math.round(age / 1_000)} s)`, urgent: false };
    return undefined;
  }
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e6);
}
