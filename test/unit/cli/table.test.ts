import { describe, expect, it } from 'vitest';
import { type Column, cut, displayWidth, formatTable } from '../../../src/cli/table.js';

describe('displayWidth', () => {
  it.each([
    ['plain', 5],
    ['ünïcödé', 7],
    ['e\u0301', 1],
    ['名前', 4],
    ['한국', 4],
    ['🚢', 2],
    ['👩‍🔬', 2],
    ['ab\u200b', 3],
    ['', 0],
  ])('of %j is %i', (text, width) => {
    expect(displayWidth(text)).toBe(width);
  });
});

describe('cut', () => {
  it('keeps what fits and marks what was left out', () => {
    expect(cut('abcdef', 6)).toBe('abcdef');
    expect(cut('abcdef', 4)).toBe('abc…');
    expect(cut('名前名前', 4)).toBe('名…');
    expect(cut('abc', 0)).toBe('');
  });
});

interface Row {
  readonly id: string;
  readonly name: string;
  readonly remark: string;
}

const columns: Column<Row>[] = [
  { title: 'ID', align: 'right', value: ({ id }) => id },
  { title: 'NAME', value: ({ name }) => name },
  { title: 'REMARK', value: ({ remark }) => remark },
];

describe('formatTable', () => {
  it('aligns by display width and pads no line at its end', () => {
    const rows = [
      { id: '1', name: '名前', remark: 'x' },
      { id: '10', name: 'a', remark: '' },
    ];
    expect(formatTable(columns, rows)).toEqual(['ID  NAME  REMARK', ' 1  名前  x', '10  a']);
  });

  it('leaves out columns without a value', () => {
    expect(formatTable(columns, [{ id: '1', name: '', remark: 'x' }])).toEqual(['ID  REMARK', ' 1  x']);
  });

  it('cuts lines to a width, the last columns first', () => {
    const rows = [{ id: '1', name: 'name', remark: 'a long remark' }];
    expect(formatTable(columns, rows, { width: 15 })).toEqual(['ID  NAME  REMA…', ' 1  name  a lo…']);
    for (const width of [1, 4, 9, 12]) {
      for (const line of formatTable(columns, rows, { width })) expect(displayWidth(line)).toBeLessThanOrEqual(width);
    }
  });

  it('colours cells without disturbing their alignment', () => {
    const painted = columns.map((column) => ({ ...column, paint: (cell: string) => `<${cell}>` }));
    expect(formatTable(painted, [{ id: '1', name: 'n', remark: 'r' }])[1]).toBe('< 1>  <n   >  <r>');
  });
});
