import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Repository, type StoredContent } from '../../src/store/repository.js';

/** A repository that does everything at once: what waits for a disk ends in another order each time. */
export class ImmediateRepository extends Repository {
  readonly #directory: string;
  readonly #contents = new Map<string, string>();

  constructor(directory: string) {
    super(directory);
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
  }

  override async put(content: Uint8Array): Promise<StoredContent> {
    const sha256 = createHash('sha256').update(content).digest('hex');
    const file = path.join(this.#directory, sha256);
    writeFileSync(file, content);
    this.#contents.set(sha256, file);
    return { sha256, size: content.byteLength };
  }

  override async putFile(file: string): Promise<StoredContent> {
    return this.put(readFileSync(file));
  }

  override async adopt(file: string): Promise<StoredContent> {
    const content = readFileSync(file);
    const sha256 = createHash('sha256').update(content).digest('hex');
    const target = path.join(this.#directory, sha256);
    renameSync(file, target);
    this.#contents.set(sha256, target);
    return { sha256, size: content.byteLength };
  }

  override async locate(sha256: string): Promise<string> {
    const file = this.#contents.get(sha256);
    if (file === undefined) throw new Error(`the repository has no content ${sha256}`);
    return file;
  }

  override async read(sha256: string): Promise<Buffer> {
    return readFileSync(await this.locate(sha256));
  }

  override async temporaryDirectory(): Promise<{ readonly path: string } & AsyncDisposable> {
    const directory = path.join(this.#directory, randomUUID());
    mkdirSync(directory);
    return {
      path: directory,
      [Symbol.asyncDispose]: async () => rmSync(directory, { recursive: true, force: true }),
    };
  }
}
