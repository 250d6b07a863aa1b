/** After the compiler: the command line must be a program that can be run. */
import { chmod } from 'node:fs/promises';

await chmod(new URL('../dist/src/cli/main.js', import.meta.url), 0o755);
