import { locateProfile } from '../../config/home.js';
import { followLog, lastLogLines, logSize } from '../../daemon/log-reader.js';
import { daemonPlaces } from '../../daemon/places.js';
import { defineCommand, flag, text } from '../command.js';
import { logLineText } from '../daemon-log-text.js';
import { usageError } from '../errors.js';
import { interruption } from '../interruption.js';
import { print, say } from '../terminal.js';

export const command = defineCommand({
  positionals: {},
  options: {
    follow: flag('go on with what is written, until Ctrl-C'),
    lines: text('how many of the last lines (default: 50)'),
    json: flag('print the lines as they are: JSON, one entry each'),
  },
  examples: [
    ['$0', 'the last 50 lines'],
    ['$0 --follow --lines 0', 'what is written from now on'],
  ],
  run: async (given) => {
    const { logFile } = daemonPlaces(locateProfile(given, process.env));
    const count = given.lines ?? '50';
    if (!/^\d{1,7}$/.test(count)) throw usageError(`--lines takes a number, not "${count}"`, 'for example --lines 100');
    const show = (line: string) => print(given.json ? line : logLineText(line));
    const size = logSize(logFile);
    for (const line of lastLogLines(logFile, Number(count))) show(line);
    if (size === 0 && !given.follow) say('no daemon has written anything here yet');
    if (!given.follow) return 0;
    using interrupted = interruption();
    for await (const line of followLog(logFile, size, interrupted.signal)) show(line);
    return 0;
  },
});
