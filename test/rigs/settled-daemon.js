/**
 * Runs the daemon of a profile in the foreground with settings that no user could give, so that tests need not wait.
 * Words: settings as JSON, number of workers.
 */
import { locateProfile } from '../../dist/src/config/home.js';
import { runDaemon } from '../../dist/src/daemon/daemon.js';

const [settings = '{}', workers = '1'] = process.argv.slice(2);
const options = { workers: Number(workers), foreground: true, settings: JSON.parse(settings) };
await runDaemon(locateProfile({}, process.env), options);
