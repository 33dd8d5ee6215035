/** One cell, quoted (with quotes doubled) or not. */
const cell = /"([^"]*(?:""[^"]*)*)"|([^",\r\n][^,\r\n]*)?/y;
/** What follows a cell: the next one, the next line, or nothing. */
const separator = /,|\r\n|\n|\r|$/y;

/**
 * Reads comma-separated values (RFC 4180) with a header. Empty lines are skipped; all others must have as many cells as
 * the header, since an extra comma would shift cells to other columns.
 *
 * @returns the header's names, and each line's cells as text
 * @throws Error with the line and the problem
 */
export function parseCsv(text: string): { columns: string[]; rows: string[][] } {
  const rows: string[][] = [];
  let line = 1;
  let cells: string[] = [];
  for (let at = 0; at < text.length; ) {
    const first = line;
    cell.lastIndex = at;
    const [whole, quoted, plain = ''] = cell.exec(text)!;
    cells.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    line += whole.match(/\r\n|\n|\r/g)?.length ?? 0;
    separator.lastIndex = at + whole.length;
    const [sign] = separator.exec(text) ?? [];
    if (sign === undefined) {
      throw new Error(
        `line ${first}: the quote at the start of the cell ${JSON.stringify(text.slice(at, at + 20))} is not closed at the ` +
          "cell's end; write quotes inside a quoted cell twice",
      );
    }
    at = separator.lastIndex;
    if (sign === ',' && at < text.length) continue;
    if (sign === ',') cells.push('');
    if (cells.some((each) => each.trim() !== '')) {
      const wanted = rows[0]?.length ?? cells.length;
      if (cells.length !== wanted) {
        throw new Error(
          `line ${first}: it has ${cells.length} cells, and the header has ${wanted}; put a cell with a comma in ` +
            'quotes',
        );
      }
      rows.push(cells);
    }
    cells = [];
    line++;
  }
  const [columns = [], ...others] = rows;
  const twice = columns.find((name, place) => name !== '' && columns.indexOf(name) < place);
  if (twice !== undefined) throw new Error(`two columns are named "${twice}"; rename one`);
  return { columns, rows: others };
}
