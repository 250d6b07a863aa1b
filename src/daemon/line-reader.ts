import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

/** Characters of a line that are kept; a program can print a whole file as one line, or none of it as text. */
const longestLine = 4_096;

/**
 * Gives the lines of a stream as they come, each cut to a bounded length with a word on what was left out. Empty lines
 * are passed over. A line without an end is given when the stream ends.
 */
export function readLines(stream: Readable, take: (line: string) => void): void {
  const decoder = new StringDecoder('utf8');
  let line = '';
  let leftOut = 0;
  const add = (text: string) => {
    const kept = text.slice(0, longestLine - line.length);
    line += kept;
    leftOut += text.length - kept.length;
  };
  const give = () => {
    const text = line.trimEnd();
    if (text !== '') take(leftOut === 0 ? text : `${text}… (${leftOut} more characters)`);
    line = '';
    leftOut = 0;
  };
  const read = (text: string) => {
    let start = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', start)) {
      add(text.slice(start, end));
      give();
      start = end + 1;
    }
    add(text.slice(start));
  };
  stream.on('data', (chunk: Buffer) => read(decoder.write(chunk)));
  stream.once('close', () => {
    read(decoder.end());
    give();
  });
  // What cannot be read any more ends; whoever wrote it ends by itself.
  stream.on('error', () => undefined);
}
