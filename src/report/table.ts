import { from } from 'arquero';
import { writeFileAtomic } from '../base/index.js';
import { type MimeBundle, showBundle } from './display.js';
import { escapeMarkup } from './html.js';

export type TableRow = Record<string, unknown>;

/** Rows, an arquero table, or a danfojs frame. */
export type TableLike = readonly object[] | { objects(): object[] } | { columns: string[]; values: unknown };

export interface TableOptions {
  caption?: string;
  /** Columns in order with their headings; by default all columns of the first row. */
  columns?: Record<string, string>;
  /** Formats a column's values, from the value and its row; by default `formatValue`. */
  format?: Record<string, (value: never, row: never) => string>;
  /** Words that are links wherever they stand in a cell, and where they go. */
  links?: Readonly<Record<string, string>>;
  /** Also writes the values, not rounded, to this CSV file. */
  save?: string;
}

/** Shows a table; cells are text, never markup. */
export async function showTable(table: TableLike, options: TableOptions = {}): Promise<void> {
  const rows = rowsOf(table);
  if (options.save) await writeFileAtomic(options.save, tableCsv(rows));
  showBundle(tableBundle(rows, options));
}

/** A table as CSV, its values not rounded. arquero's quotes commas, quotes and line breaks; danfojs 1.2.0's does not. */
export function tableCsv(table: TableLike): string {
  return from([...rowsOf(table)]).toCSV();
}

function rowsOf(table: TableLike): readonly TableRow[] {
  if (Array.isArray(table)) return table as readonly TableRow[];
  if ('objects' in table) return table.objects() as TableRow[];
  const { columns, values } = table as { columns: string[]; values: unknown[][] };
  return values.map((row) => Object.fromEntries(columns.map((name, column) => [name, row[column]])));
}

/** A table as HTML and as text. */
export function tableBundle(rows: readonly TableRow[], options: TableOptions = {}): MimeBundle {
  const columns = options.columns ?? Object.fromEntries(Object.keys(rows[0] ?? {}).map((name) => [name, name]));
  const names = Object.keys(columns);
  const cells = rows.map((row) =>
    names.map((name) => {
      const format = options.format?.[name] as ((value: unknown, row: TableRow) => string) | undefined;
      return format ? format(row[name], row) : formatValue(row[name]);
    }),
  );
  const rightAligned = names.map((name) => rows.length > 0 && rows.every((row) => typeof row[name] === 'number'));
  const headings = Object.values(columns);
  return {
    'text/plain': plainTable(headings, cells, rightAligned, options.caption),
    'text/html': htmlTable(headings, cells, rightAligned, options),
  };
}

/**
 * A value as text: numbers with at most four significant digits, lists with commas, objects as `type cpu, threads
 * (intraOp 2, interOp 2)`, dates in ISO 8601, and a dash for missing values.
 */
export function formatValue(value: unknown): string {
  if (value === undefined || value === null) return '–';
  if (typeof value === 'number') {
    return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
  }
  if (Array.isArray(value)) return value.map(formatValue).join(', ');
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '–' : formatDate(value);
  if (typeof value !== 'object') return String(value);
  return Object.entries(value)
    .filter(([, part]) => part !== undefined)
    .map(([name, part]) => {
      const grouped = typeof part === 'object' && part !== null;
      return `${name} ${grouped ? `(${formatValue(part)})` : formatValue(part)}`;
    })
    .join(', ');
}

/** A date, with the time unless it is midnight. */
function formatDate(date: Date): string {
  return date.toISOString().replace('T00:00:00.000Z', '').replace('.000Z', 'Z');
}

function htmlTable(
  headings: string[],
  cells: string[][],
  rightAligned: boolean[],
  { caption, links = {} }: TableOptions,
): string {
  const aligned = (column: number) =>
    `style="text-align:${rightAligned[column] ? 'right;white-space:nowrap' : 'left'}"`;
  const head = headings.map((text, column) => `<th scope="col" ${aligned(column)}>${escapeMarkup(text)}</th>`);
  const body = cells.map(
    (row) =>
      `<tr>${row.map((text, column) => `<td ${aligned(column)}>${linked(escapeMarkup(text), links)}</td>`).join('')}</tr>`,
  );
  const title = caption
    ? `<caption style="caption-side:top;text-align:left;font-weight:600">${escapeMarkup(caption)}</caption>`
    : '';
  return `<table>${title}<thead><tr>${head.join('')}</tr></thead><tbody>${body.join('')}</tbody></table>`;
}

/** Escaped text with the words that are links as such. */
function linked(text: string, links: Readonly<Record<string, string>>): string {
  return text.replace(/[\w-]+/g, (word) =>
    Object.hasOwn(links, word) ? `<a href="${escapeMarkup(links[word])}">${word}</a>` : word,
  );
}

function plainTable(headings: string[], cells: string[][], rightAligned: boolean[], caption?: string): string {
  const all = [headings, ...cells].map((row) => row.map((text) => text.replaceAll('\n', ' ')));
  const widths = headings.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const lines = all.map((row) =>
    row
      .map((text, column) => (rightAligned[column] ? text.padStart(widths[column]!) : text.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd(),
  );
  const ruler = widths.map((width) => '-'.repeat(width)).join('  ');
  return [...(caption ? [caption] : []), lines[0] ?? '', ruler, ...lines.slice(1)].join('\n');
}
