import {
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  Parser,
} from 'yaml';
import type { InputIssue } from '../errors.js';
import { type Origin, type Path, type Position, visible } from './issues.js';
import { checkNodes, mostAliases, mostDepth } from './yaml-checks.js';

export type ParsedText =
  | { readonly ok: true; readonly value: unknown; readonly locate: NonNullable<Origin['locate']> }
  | { readonly ok: false; readonly issues: readonly InputIssue[] };

/** Plain words where the parser's own assume that one knows its terms. */
const plainWords: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'a tab cannot indent here; use blanks',
  NON_STRING_KEY: 'a key must be text',
  MULTIPLE_DOCS: 'a second document begins here; one file holds one',
};

/** Reads YAML or JSON text of one document. Keys are text always; values follow YAML 1.2 (`yes` is text). */
export function parseText(text: string): ParsedText {
  const lines = new LineCounter();
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const failed = (found: readonly { offset: number; message: string }[]): ParsedText => ({
    ok: false,
    issues: found.map(({ offset, message }) => ({ path: '', message, ...position(offset) })),
  });

  const { tokens, tooDeepAt } = tokenize(text, lines);
  if (tooDeepAt !== undefined) {
    return failed([{ offset: tooDeepAt, message: `is nested more than ${mostDepth} levels deep` }]);
  }

  const composer = new Composer({ prettyErrors: false, stringKeys: true, uniqueKeys: false, logLevel: 'silent' });
  const [document, second] = compose(composer, tokens, text.length);
  if (document === undefined) return failed([{ offset: 0, message: 'is empty' }]);
  const found = [...document.errors, ...document.warnings].map(({ code, message, pos }) => ({
    offset: pos[0],
    message: plainWords[code] ?? message.charAt(0).toLowerCase() + message.slice(1),
  }));
  if (second) found.push({ offset: second.range?.[0] ?? 0, message: plainWords.MULTIPLE_DOCS ?? '' });
  if (found.length === 0 && document.contents) found.push(...checkNodes(document.contents));
  if (found.length > 0) return failed(found);
  try {
    const value: unknown = document.toJS({ maxAliasCount: mostAliases });
    return { ok: true, value, locate: (path, what) => locate(document, path, what, position) };
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    return failed([{ offset: 0, message: `aliases multiply too much: ${visible(error.message)}` }]);
  }
}

/** What comes next is recursive: without this bound on depth a file of brackets ends the whole program. */
function tokenize(text: string, lines: LineCounter): { tokens: CST.Token[]; tooDeepAt?: number } {
  const parser = new Parser(lines.addNewLine);
  const tokens: CST.Token[] = [];
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    tokens.push(...parser.next(lexeme));
    if (parser.stack.length > mostDepth) return { tokens, tooDeepAt: parser.offset - lexeme.length };
  }
  tokens.push(...parser.end());
  return { tokens };
}

function compose(composer: Composer, tokens: CST.Token[], length: number): Document.Parsed[] {
  const documents: Document.Parsed[] = [];
  for (const document of composer.compose(tokens, false, length)) {
    documents.push(document);
    if (documents.length === 2) break;
  }
  return documents;
}

function locate(
  document: Document.Parsed,
  path: Path,
  what: 'key' | 'value',
  position: (offset: number) => Position,
): Position | undefined {
  let node: Node | null | undefined = document.contents;
  let offset = node?.range?.[0];
  for (const [index, part] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    let next: unknown;
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part));
      next = what === 'key' && index === path.length - 1 ? pair?.key : (pair?.value ?? pair?.key);
      // An empty value stands where nothing is to be seen; its key is the better place.
      if (isScalar(next) && next.value === null && next.source === '') next = pair?.key;
    } else if (isSeq(node)) {
      next = node.items[Number(part)];
    }
    if (!isMap(next) && !isSeq(next) && !isScalar(next) && !isAlias(next)) break;
    node = next;
    offset = node.range?.[0] ?? offset;
  }
  return offset === undefined ? undefined : position(offset);
}
