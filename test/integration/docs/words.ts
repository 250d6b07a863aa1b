/** The words of a documented command line without its program: blanks part them, single quotes keep them together. */
export function wordsOf(line: string): string[] {
  const [command = ''] = line.split('   #');
  const words = [...command.trim().matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
  if (words[0] !== 'wherry') throw new Error(`no command of ours: ${line}`);
  return words.slice(1);
}
