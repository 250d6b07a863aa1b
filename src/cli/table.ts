/** A column of a table: how it is called and what stands in it. Cells must be printable already. */
export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  readonly align?: 'left' | 'right';
  /** Colours a finished cell; it must not change its width. */
  readonly paint?: (cell: string, row: Row) => string;
}

/**
 * Lines of a table, aligned by display width. Columns that are empty in every row are left out.
 * @param width cells of the terminal, to which lines are cut; undefined: not cut
 */
export function formatTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  options: { readonly width?: number | undefined; readonly header?: (text: string) => string } = {},
): string[] {
  const filled = columns
    .map((column) => ({ column, cells: rows.map(column.value) }))
    .filter(({ cells }) => rows.length === 0 || cells.some((cell) => cell !== ''));
  const measured = filled.map(({ column, cells }) => {
    const widths = cells.map(displayWidth);
    const width = widths.reduce((most, next) => Math.max(most, next), displayWidth(column.title));
    return { column, cells, widths, width };
  });
  const room = roomFor(
    measured.map(({ width }) => width),
    options.width,
  );
  const header = measured.map(({ column }, index) => pad(column.title, column.align, room[index] ?? 0));
  const lines = [(options.header ?? String)(joined(header))];
  for (const [number, row] of rows.entries()) {
    const cells = measured.map(({ column, cells, widths }, index) => {
      const last = index === measured.length - 1 && column.align !== 'right';
      const cell = pad(cells[number] ?? '', column.align, room[index] ?? 0, widths[number], last);
      return column.paint === undefined ? cell : column.paint(cell, row);
    });
    lines.push(joined(cells));
  }
  return lines;
}

const gap = '  ';

function joined(cells: readonly string[]): string {
  return cells.join(gap).trimEnd();
}

/** The last columns give way first: they hold the long sentences. */
function roomFor(widths: readonly number[], total: number | undefined): number[] {
  if (total === undefined) return [...widths];
  let left = total;
  return widths.map((width, index) => {
    const used = Math.max(0, Math.min(width, left));
    left -= used + (index < widths.length - 1 ? gap.length : 0);
    return used;
  });
}

function pad(
  cell: string,
  align: 'left' | 'right' | undefined,
  room: number,
  width = displayWidth(cell),
  last = false,
): string {
  const fitting = width > room ? cut(cell, room) : cell;
  const missing = room - (width > room ? displayWidth(fitting) : width);
  if (last || missing <= 0) return fitting;
  return align === 'right' ? ' '.repeat(missing) + fitting : fitting + ' '.repeat(missing);
}

/** At most `room` cells of a text, with an ellipsis where something was left out. */
export function cut(text: string, room: number): string {
  if (displayWidth(text) <= room) return text;
  if (room <= 0) return '';
  let kept = '';
  let width = 0;
  for (const { segment } of graphemesOf(text)) {
    width += graphemeWidth(segment);
    if (width > room - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}

let segmenter: Intl.Segmenter | undefined;

/** Made when it is first needed: it takes longer than all else that a listing does. */
function graphemesOf(text: string): Iterable<Intl.SegmentData> {
  segmenter ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' });
  return segmenter.segment(text);
}

/** Cells that a text takes on a terminal: wide characters and emoji take two, combining ones none. */
export function displayWidth(text: string): number {
  if (/^[\x20-\x7e\u00a1-\u02ff]*$/.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemesOf(text)) width += graphemeWidth(segment);
  return width;
}

const wide =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1b000}-\u{1b2ff}\u{1f200}-\u{1f2ff}\u{20000}-\u{3fffd}]/u;

function graphemeWidth(grapheme: string): number {
  if (/^\p{M}+$/u.test(grapheme)) return 0;
  return wide.test(grapheme) || /\p{Emoji_Presentation}|\ufe0f/u.test(grapheme) ? 2 : 1;
}
