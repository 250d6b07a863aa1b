import type { AnyCommand } from './command.js';

/** A command by its words. Its file is loaded only when it is the one asked for. */
export interface CommandEntry {
  /** The words that name it, such as `computer add`. */
  readonly path: readonly [string, ...string[]];
  /** What comes behind the words. */
  readonly usage: string;
  readonly describe: string;
  load(): Promise<{ readonly command: AnyCommand }>;
}

const entry = (
  path: CommandEntry['path'],
  usage: string,
  describe: string,
  load: CommandEntry['load'],
): CommandEntry => ({
  path,
  usage,
  describe,
  load,
});

/** Words that stand for several commands. */
export const groups: Readonly<Record<string, string>> = {
  broker: 'messages that make processes',
  code: 'executables on computers, sent along or in containers',
  computer: 'configure and test computers',
  daemon: 'the program that drives processes in the background',
  files: 'the files of a calcjob',
  plugin: 'schedulers, transports and processes',
  store: 'where processes are kept',
};

/** Every command there is, in the order of the help. */
export const commandTable: readonly CommandEntry[] = [
  entry(['init'], '', 'make a profile, also for several hosts', () => import('./commands/init.js')),
  entry(['submit'], '[files..]', 'store calcjobs and print their ids', () => import('./commands/submit.js')),
  entry(['run'], '[files..]', 'submit calcjobs and wait for them', () => import('./commands/run.js')),
  entry(['ps'], '', 'list processes', () => import('./commands/ps.js')),
  entry(['show'], '<ids..>', 'everything known of processes', () => import('./commands/show.js')),
  entry(['report'], '<id>', 'what happened to a process', () => import('./commands/report.js')),
  entry(['explain'], '<id>', 'what a process waits for', () => import('./commands/explain.js')),
  entry(['graph'], '<id>', 'where data came from and went to', () => import('./commands/graph.js')),
  entry(['status'], '', 'the state of the profile', () => import('./commands/status.js')),
  entry(['wait'], '<ids..>', 'wait until processes have ended', () => import('./commands/wait.js')),
  entry(['watch'], '[id]', 'what happens, as it happens', () => import('./commands/watch.js')),
  entry(['tick'], '', 'do everything that is due, then exit', () => import('./commands/tick.js')),
  entry(['kill'], '[ids..]', 'kill processes and their jobs', () => import('./commands/kill.js')),
  entry(['pause'], '[ids..]', 'keep processes from their next step', () => import('./commands/pause.js')),
  entry(['play'], '[ids..]', 'let paused processes go on', () => import('./commands/play.js')),
  entry(['files', 'ls'], '<id>', 'list files of a calcjob', () => import('./commands/files-ls.js')),
  entry(['files', 'cat'], '<id> <path>', 'print a file of a calcjob', () => import('./commands/files-cat.js')),
  entry(['files', 'get'], '<id> [path]', 'copy files of a calcjob here', () => import('./commands/files-get.js')),
  entry(['clean'], '[ids..]', 'remove work directories of ended calcjobs', () => import('./commands/clean.js')),
  entry(['computer', 'add'], '[name]', 'add a computer', () => import('./commands/computer-add.js')),
  entry(['computer', 'list'], '', 'list computers', () => import('./commands/computer-list.js')),
  entry(['computer', 'show'], '<label>', 'show a computer', () => import('./commands/computer-show.js')),
  entry(['computer', 'edit'], '<label>', 'change a computer', () => import('./commands/computer-edit.js')),
  entry(
    ['computer', 'test'],
    '<label>',
    'try everything a computer is needed for',
    () => import('./commands/computer-test.js'),
  ),
  entry(['computer', 'drain'], '<label>', 'send no new jobs to it', () => import('./commands/computer-drain.js')),
  entry(
    ['computer', 'disable'],
    '<label>',
    'send nothing at all to it',
    () => import('./commands/computer-disable.js'),
  ),
  entry(['computer', 'enable'], '<label>', 'use it again', () => import('./commands/computer-enable.js')),
  entry(['computer', 'remove'], '<label>', 'remove a computer', () => import('./commands/computer-remove.js')),
  entry(['computer', 'export'], '<label>', 'print a computer as YAML', () => import('./commands/computer-export.js')),
  entry(['code', 'add'], '[name]', 'add a code', () => import('./commands/code-add.js')),
  entry(['code', 'list'], '', 'list codes', () => import('./commands/code-list.js')),
  entry(['code', 'show'], '<name>', 'show a code', () => import('./commands/code-show.js')),
  entry(['code', 'test'], '<name>', 'look whether its executable is there', () => import('./commands/code-test.js')),
  entry(['code', 'remove'], '<names..>', 'remove codes', () => import('./commands/code-remove.js')),
  entry(['code', 'export'], '<name>', 'print a code as YAML', () => import('./commands/code-export.js')),
  entry(['daemon', 'start'], '', 'start the daemon', () => import('./commands/daemon-start.js')),
  entry(['daemon', 'stop'], '', 'stop the daemon', () => import('./commands/daemon-stop.js')),
  entry(['daemon', 'restart'], '', 'stop it and start it again', () => import('./commands/daemon-restart.js')),
  entry(
    ['daemon', 'reload'],
    '',
    'replace its workers, one after another',
    () => import('./commands/daemon-reload.js'),
  ),
  entry(['daemon', 'status'], '', 'how the daemon and its workers are', () => import('./commands/daemon-status.js')),
  entry(['daemon', 'scale'], '<workers>', 'change the number of workers', () => import('./commands/daemon-scale.js')),
  entry(['daemon', 'logs'], '', 'what the daemon wrote', () => import('./commands/daemon-logs.js')),
  entry(['daemon', 'install'], '', 'run the daemon under systemd', () => import('./commands/daemon-install.js')),
  entry(['broker', 'parked'], '', 'tasks that could not be done', () => import('./commands/broker-parked.js')),
  entry(['broker', 'resend'], '[ids..]', 'send parked tasks again', () => import('./commands/broker-resend.js')),
  entry(['broker', 'drop'], '[ids..]', 'throw parked tasks away', () => import('./commands/broker-drop.js')),
  entry(['store', 'migrate'], '', 'move the store to PostgreSQL', () => import('./commands/store-migrate.js')),
  entry(['plugin', 'list'], '', 'list schedulers, transports and processes', () => import('./commands/plugin-list.js')),
  entry(['plugin', 'show'], '<name>', 'what a process takes and gives', () => import('./commands/plugin-show.js')),
  entry(
    ['completion'],
    '',
    'print a script that completes commands in your shell',
    () => import('./commands/completion.js'),
  ),
];
