import type { Output } from '../display.js';
import { type TableRow, tableBundle } from '../table.js';
import { type ArqueroTable, type DanfojsFrame, isTable } from './recognize-table.js';

const shownRows = 20;

/** The first rows of a table, and how many there are. */
export function tableOutput(value: ArqueroTable | DanfojsFrame): Output {
  const { rows, total, columns } = isTable(value) ? ofArquero(value) : ofDanfojs(value);
  const size = `${count(total, 'row')} x ${count(columns.length, 'column')}`;
  const caption = total > rows.length ? `${size}; the first ${rows.length}` : size;
  return [tableBundle(rows, { caption, columns: Object.fromEntries(columns.map((name) => [name, name])) }), {}];
}

function ofArquero(table: ArqueroTable) {
  const columns = table.columnNames();
  return { rows: table.objects({ limit: shownRows }) as TableRow[], total: table.numRows(), columns };
}

function ofDanfojs(frame: DanfojsFrame) {
  const columns = frame.$isSeries ? [frame.columns[0] ?? '0'] : frame.columns;
  const rows = frame.values.slice(0, shownRows).map((row) => {
    const cells = frame.$isSeries ? [row] : (row as unknown[]);
    return Object.fromEntries(columns.map((name, at) => [name, cells[at]]));
  });
  return { rows, total: frame.values.length, columns };
}

const count = (number: number, what: string) => `${number.toLocaleString('en')} ${what}${number === 1 ? '' : 's'}`;
