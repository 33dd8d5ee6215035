/** One cell, in quotes (two of them stand for one) or without. */
const cell = /"([^"]*(?:""[^"]*)*)"|([^",\r\n][^,\r\n]*)?/y;
/** What follows a cell: the next one, the next line, or nothing. */
const separator = /,|\r\n|\n|\r|$/y;

/**
 * Reads comma-separated values (RFC 4180) with a header. Lines with nothing in them, as editors leave them at the end, are
 * passed over; all others must have as many cells as the header, since a comma too many would move cells under other names.
 *
 * @returns the header's names, and each line's cells as text
 * @throws Error that says in which line what is wrong
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
        `line ${first}: the quote that begins the cell ${JSON.stringify(text.slice(at, at + 20))} is not closed where the ` +
          'cell ends; within quotes a quote is written twice',
      );
    }
    at = separator.lastIndex;
    if (sign === ',' && at < text.length) continue;
    if (sign === ',') cells.push('');
    if (cells.some((each) => each.trim() !== '')) {
      const wanted = rows[0]?.length ?? cells.length;
      if (cells.length !== wanted) {
        throw new Error(
          `line ${first}: it has ${cells.length} cells, and the header has ${wanted}; a cell with a comma in it stands in ` +
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
  if (twice !== undefined) throw new Error(`two columns are called "${twice}"; rename one`);
  return { columns, rows: others };
}
