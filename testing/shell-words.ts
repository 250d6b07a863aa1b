/**
 * Splits a command line into words as a POSIX shell does, so far as quoting goes: single quotes, and backslashes and
 * double quotes in the few forms that Wherry writes. Nothing is expanded. Ends at an unquoted line break.
 */
export function shellWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (let index = 0; index < text.length; index++) {
    const character = text.charAt(index);
    if (character === '\n') break;
    if (character === ' ') {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (character === "'" || character === '"') {
      const end = text.indexOf(character, index + 1);
      word = (word ?? '') + text.slice(index + 1, end < 0 ? text.length : end);
      index = end < 0 ? text.length : end;
    } else {
      if (character === '\\') index++;
      word = (word ?? '') + text.charAt(index);
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}
