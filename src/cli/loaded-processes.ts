import type { Profile } from '../engine/profile.js';
import { loadModules } from '../process/modules.js';
import { paintTalk, printableLines, say } from './terminal.js';

/**
 * Loads the modules of a profile, and says which could not be loaded.
 * @returns by which module a process is defined
 */
export async function loadProcesses({ settings, location }: Profile): Promise<(name: string) => string | undefined> {
  // Wherry's own come first, so that they are not taken for those of a module that imports them.
  await import('../calcjob/built-in.js');
  const modules = await loadModules(settings.modules ?? [], location.directory);
  for (const { error } of modules.failures) {
    say(paintTalk.yellow(printableLines(error.message)));
    if (error.hint !== undefined) say(printableLines(error.hint));
  }
  return (name) => modules.moduleOf(name);
}
