import { WherryError } from '../../errors.js';
import { findDefinition, type ProcessDefinition } from '../../process/definition.js';
import type { LoadedModules } from '../../process/modules.js';
import type { ProcessRow } from '../../store/tables.js';
import type { Profile } from '../profile.js';

/** Where the definitions of processes come from: what this program has loaded, and the modules of the profile. */
export class DefinitionSource {
  readonly #load: () => Promise<LoadedModules>;
  #modules: Promise<LoadedModules> | undefined;

  /** @param load loads the modules of the profile, once somebody needs them */
  constructor(load: () => Promise<LoadedModules>) {
    this.#load = load;
  }

  /**
   * The definition of a stored process.
   * Errors: `module-failed` when its module could not be loaded, `bad-definition` when none has its name.
   */
  async of({ name, module }: Pick<ProcessRow, 'name' | 'module'>): Promise<ProcessDefinition> {
    const known = findDefinition(name);
    // A module that has failed may have defined some of its processes before.
    const modules = known === undefined ? await this.#loaded() : await this.#modules;
    const failure = module === null ? undefined : modules?.failureOf(module);
    if (failure !== undefined) throw failure;
    const found = known ?? findDefinition(name) ?? (await builtInOf(name));
    if (found !== undefined) return found;
    throw new WherryError('bad-definition', `no definition has the name ${name}`, {
      hint: 'list the module that has it under `modules` in profile.yaml',
    });
  }

  /** The module of the profile that defines a process; null when none does. */
  async moduleOf(name: string): Promise<string | null> {
    const module = (await this.#loaded()).moduleOf(name);
    if (module !== undefined) return module;
    return (await builtInOf(name)) === undefined ? null : builtInModule;
  }

  #loaded(): Promise<LoadedModules> {
    this.#modules ??= this.#load();
    return this.#modules;
  }
}

/** The definitions that a program finds which has opened a profile. */
export function definitionsOf({ settings, location }: Profile): DefinitionSource {
  return new DefinitionSource(async () => {
    // Few profiles have modules, and every command is started without what loads them.
    const { loadModules } = await import('../../process/modules.js');
    return loadModules(settings.modules ?? [], location.directory);
  });
}

/** Where processes say that their definition is one of Wherry's own. */
const builtInModule = 'wherry';

async function builtInOf(name: string): Promise<ProcessDefinition | undefined> {
  const { builtIn } = await import('../../calcjob/built-in.js');
  return builtIn.get(name);
}
