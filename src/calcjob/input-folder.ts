import { InputError } from '../errors.js';
import { FileData, type FolderData } from '../process/data.js';
import type { Repository } from '../store/repository.js';
import { excluder, type StoredInput } from './create.js';

/** A file that stands nowhere yet. */
interface WrittenInput {
  readonly path: string;
  readonly mode: number;
  readonly content: Uint8Array;
}

/** The input files of a calcjob, as its definition writes them. */
export class InputFolder {
  readonly #files = new Map<string, StoredInput | WrittenInput>();

  /**
   * Puts what was written into the repository; what is excluded is kept aside, until the process has ended.
   * @returns all that has been put into it
   */
  async store(
    repository: Repository,
    { uuid, exclude = [] }: { readonly uuid: string; readonly exclude?: readonly string[] | undefined },
  ): Promise<StoredInput[]> {
    const isExcluded = excluder(exclude);
    const stored: StoredInput[] = [];
    for (const file of this.#files.values()) {
      if ('sha256' in file) {
        stored.push(file);
        continue;
      }
      const { content, ...named } = file;
      const place = isExcluded(file.path) ? repository.passing(uuid) : repository;
      stored.push({ ...(await place.put(content)), ...named });
    }
    return stored;
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
    // A copy: who wrote it may go on with its own.
    this.#add({ content: Buffer.from(content), path, mode: executable ? 0o755 : 0o644 });
  }

  /**
   * Puts stored data into it: a file under this name, the files of a folder below it (`.`: at the top). Errors: InputError
   * where there is nothing of the name `from`.
   * @param from a file or folder in the folder, which is put under this name; default: all that is in it
   */
  copy(path: string, data: FileData | FolderData, from?: string): void {
    if (data instanceof FileData) {
      this.#add({ ...data.file, path });
      return;
    }
    const source = from?.replace(/\/+$/, '');
    const one = data.files.find((file) => file.path === source);
    if (one !== undefined) {
      this.#add({ ...one, path });
      return;
    }
    const below = path === '.' ? '' : `${path.replace(/\/+$/, '')}/`;
    const prefix = source === undefined ? '' : `${source}/`;
    const files = data.files.filter((file) => file.path.startsWith(prefix));
    if (source !== undefined && files.length === 0) {
      throw new InputError(`there is nothing called ${JSON.stringify(from)} in the folder`);
    }
    for (const file of files) this.#add({ ...file, path: `${below}${file.path.slice(prefix.length)}` });
  }

  #add(file: StoredInput | WrittenInput): void {
    const parts = file.path.split('/');
    if (parts[0] === '.wherry' || parts.some((part) => part === '' || part === '.' || part === '..')) {
      throw new InputError(`the input file ${JSON.stringify(file.path)} is not inside the job's directory`);
    }
    this.#files.set(file.path, file);
  }
}
