import colors from 'picocolors';

/**
 * Text from anywhere (file names, what programs print, labels) made safe for a terminal and for one line of it:
 * control characters, invisible and direction-changing ones are written as escapes.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, escaped);
}

/** Like `printable`, but line breaks and tabs stay. */
export function printableLines(text: string): string {
  return text
    .replace(/\r\n/g, '\n')
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (character) =>
      character === '\n' || character === '\t' ? character : escaped(character),
    );
}

const short: Readonly<Record<string, string>> = { '\n': '\\n', '\t': '\\t', '\r': '\\r' };

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return short[character] ?? (code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, '0')}`);
}

/** May colours be used on this stream? NO_COLOR and anything but a terminal say no. */
function coloured(stream: NodeJS.WriteStream): boolean {
  if (process.env.NO_COLOR !== undefined && process.env.NO_COLOR !== '') return false;
  return stream.isTTY === true && process.env.TERM !== 'dumb';
}

/** Colours for stdout and for stderr, which may be different things. */
export const paint = colors.createColors(coloured(process.stdout));
export const paintTalk = colors.createColors(coloured(process.stderr));

/** Cells in a line of a terminal; undefined for anything else, and for a terminal that does not tell its width. */
export function terminalWidth(stream: NodeJS.WriteStream): number | undefined {
  return stream.isTTY && stream.columns > 0 ? stream.columns : undefined;
}

/** Prints the result: stdout. The text must be printable already. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Prints bytes or text as they are, waiting for a slow reader. */
export async function printRaw(content: Uint8Array | string): Promise<void> {
  if (!process.stdout.write(content)) {
    await new Promise<void>((resolve) => process.stdout.once('drain', resolve));
  }
}

/** Says something that is not the result: stderr. The text must be printable already. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Prints a value as JSON. */
export function printJson(value: unknown): void {
  print(jsonText(value));
}

/** A value as JSON. It needs no escapes of ours: JSON has its own, but for a few that terminals obey too. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(/[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    [...Array(character.length).keys()]
      .map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

/** A reader that has seen enough (`| head`) is no error. */
export function endQuietlyWithoutReader(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0);
      throw error;
    });
  }
}
