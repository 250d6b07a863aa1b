import { describe, expect, it } from 'vitest';
import { type AnyCommand, defineCommand, flag, text, texts } from '../../../src/cli/command.js';
import type { CommandEntry } from '../../../src/cli/command-table.js';
import { commandTable } from '../../../src/cli/command-table.js';
import { parseArguments } from '../../../src/cli/parse-arguments.js';

const command: AnyCommand = defineCommand({
  positionals: { ids: { type: 'string', array: true, demandOption: true } },
  options: { label: text('a text'), file: texts('several'), all: flag('a flag') },
  examples: [],
  run: async () => 0,
});
const entry: CommandEntry = { path: ['look'], usage: '<ids..>', describe: 'looks', load: async () => ({ command }) };

async function given(...words: string[]): Promise<Record<string, unknown>> {
  const parsed = await parseArguments(entry, command, words);
  if ('help' in parsed) throw new Error('help was printed');
  return { ...parsed.given };
}

describe('arguments', () => {
  it('stay texts, whatever they look like', async () => {
    expect(await given('1', '0x2', '--label', '3', '--file', 'a', '4', '--file=b')).toMatchObject({
      ids: ['1', '0x2', '4'],
      label: '3',
      file: ['a', 'b'],
      all: false,
    });
  });

  it('behind -- are no options, even with a dash', async () => {
    expect(await given('1', '--', '--label', '-x', '--')).toMatchObject({ ids: ['1', '--label', '-x', '--'] });
    expect((await given('1', '--', '--label')).label).toBeUndefined();
  });

  it('keep blanks, quotes, line breaks and unicode', async () => {
    const words = ['a b', '"q"', "'", 'x\ny', '名', '$(x)', ''];
    expect((await given(...words)).ids).toEqual(words);
  });

  it.each([
    [['1', '--lable', 'x'], 'there is no option "--lable" (did you mean "label"?)'],
    [['--lable'], 'there is no option "--lable"'],
    [['1', '-z'], 'there is no option "-z"'],
    [[], 'missing: <ids..>'],
    [['1', '--label'], 'the option --label lacks its value'],
    [['1', '--label', 'a', '--label', 'b'], 'given twice: a and b'],
  ])('%j are refused', async (words, message) => {
    await expect(given(...words)).rejects.toMatchObject({
      code: 'bad-input',
      message: expect.stringContaining(message),
    });
  });

  it('give the help with examples when it is asked for', async () => {
    for (const known of commandTable) {
      const loaded = await known.load();
      const parsed = await parseArguments(known, loaded.command, ['--help']);
      if (!('help' in parsed)) throw new Error(`${known.path.join(' ')} has no help`);
      expect(parsed.help).toContain('Examples:');
      expect(parsed.help).toContain('--home');
    }
  });
});
