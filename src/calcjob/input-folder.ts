import { InputError } from '../errors.js';
import { FileData, type FolderData } from '../process/data.js';
import type { Repository } from '../store/repository.js';
import type { StoredInput } from './create.js';

/** The input files of a calcjob, as its definition writes them. */
export class InputFolder {
  readonly #repository: Repository;
  readonly #files = new Map<string, StoredInput>();

  constructor(repository: Repository) {
    this.#repository = repository;
  }

  /** All that has been put into it. */
  get files(): readonly StoredInput[] {
    return [...this.#files.values()];
  }

  /**
   * Writes a file, in place of one of that name. Errors: InputError for a path that leads out of the folder.
   * @param path relative to the job's directory
   * @param options `executable`: it may be run there
   */
  async write(
    path: string,
    content: string | Uint8Array,
    { executable = false }: { readonly executable?: boolean } = {},
  ): Promise<void> {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    this.#add({ ...(await this.#repository.put(bytes)), path, mode: executable ? 0o755 : 0o644 });
  }

  /** Puts stored data into it: a file under this name, the files of a folder below it (`.`: at the top). */
  copy(path: string, data: FileData | FolderData): void {
    if (data instanceof FileData) {
      this.#add({ ...data.file, path });
      return;
    }
    const below = path === '.' ? '' : `${path.replace(/\/+$/, '')}/`;
    for (const file of data.files) this.#add({ ...file, path: `${below}${file.path}` });
  }

  #add(file: StoredInput): void {
    const parts = file.path.split('/');
    if (parts[0] === '.wherry' || parts.some((part) => part === '' || part === '.' || part === '..')) {
      throw new InputError(`the input file ${JSON.stringify(file.path)} is not inside the job's directory`);
    }
    this.#files.set(file.path, file);
  }
}
