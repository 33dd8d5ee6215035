import { describe, expect, it } from 'vitest';
import { parseCsv } from '../../src/datasets/resolve/csv.js';

describe('parseCsv', () => {
  it.each<[string, string]>([
    ['lines that end with LF', 'a,b\n1,2\n3,4\n'],
    ['lines that end with CRLF, the last without an end', 'a,b\r\n1,2\r\n3,4'],
    ['lines that end with CR', 'a,b\r1,2\r3,4\r'],
    ['empty lines, and lines of empty cells', '\na,b\n\n1,2\n,\n \n3,4\n,,,\n\n'],
    ['quotes that need not be there', '"a","b"\n"1",2\n3,"4"\n'],
  ])('reads %s', (_, text) => {
    const rows = [
      ['1', '2'],
      ['3', '4'],
    ];
    expect(parseCsv(text)).toEqual({ columns: ['a', 'b'], rows });
  });

  it('keeps what is in quotes, empty cells, and spaces', () => {
    const text = 'path,note\n"a, b.png","says ""no""\r\nand more"\n,x\ny,\n z ,"" \n5" slide,q"q\n';
    expect(() => parseCsv(text)).toThrow(
      'line 6: the quote at the start of the cell "\\"\\" \\n5\\" slide,q\\"q\\n" is not closed',
    );
    expect(parseCsv(text.replace('"" \n', '""\n')).rows).toEqual([
      ['a, b.png', 'says "no"\r\nand more'],
      ['', 'x'],
      ['y', ''],
      [' z ', ''],
      ['5" slide', 'q"q'],
    ]);
  });

  it('reads nothing from nothing', () => {
    expect(parseCsv('')).toEqual({ columns: [], rows: [] });
    expect(parseCsv('\n\n')).toEqual({ columns: [], rows: [] });
  });

  it.each<[string, string, string]>([
    ['a cell too many', 'a,b\n1,2\nx, y.png,3\n', 'line 3: it has 3 cells, and the header has 2'],
    ['a cell too few', 'a,b\n"1\n1",2\n3\n', 'line 4: it has 1 cells, and the header has 2'],
    ['a quote that is never closed', 'a,b\n"1,2\n3,4\n', 'line 2: the quote at the start of the cell'],
    ['two columns of one name', 'a,b,a\n1,2,3\n', 'two columns are named "a"; rename one'],
  ])('refuses %s', (_, text, message) => {
    expect(() => parseCsv(text)).toThrow(message);
  });

  it('reads long tables and long cells', () => {
    const long = 'x'.repeat(5_000_000);
    expect(parseCsv(`a\n"${long}"\n`).rows).toEqual([[long]]);
    expect(parseCsv(`a,b\n${'1,2\n'.repeat(200_000)}`).rows.length).toBe(200_000);
  });
});
