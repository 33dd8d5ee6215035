import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { type ColumnTable, table } from 'arquero';
import { inParallel, sha256 } from '../../base/index.js';
import { isPixelSize, maxMpp, minMpp } from '../../slides/index.js';
import type { SplitName, TableSource } from '../definition.js';
import { parseCsv } from './csv.js';
import type { FileDigests } from './file-digests.js';
import { faultOf, type ListedSlide, type SourceList } from './listed.js';
import { localFile } from './local-file.js';

/**
 * Reads a user's table of slides or patches. Invalid rows are excluded, each with its reason.
 *
 * @param base the folder that the definition's relative paths start from
 * @throws Error for a table that cannot be read, or lacks a column
 */
export async function listTable(source: TableSource, base: string, digests: FileDigests): Promise<SourceList> {
  const tablePath = resolve(base, source.table);
  const folder = resolve(base, source.folder);
  const rows = await readRows(tablePath);
  for (const [part, column] of Object.entries(source.columns)) {
    if (rows.columnNames().includes(column)) continue;
    const there = rows.columnNames().join(', ');
    throw new Error(`${tablePath} has no column "${column}", which source.columns.${part} names; it has ${there}`);
  }
  const { columns } = source;
  const slides: ListedSlide[] = [];
  const excluded: SourceList['excluded'] = [];
  const read = async (row: Record<string, string>, index: number): Promise<ListedSlide> => {
    const where = `${basename(tablePath)}, row ${index + 1}`;
    const cell = (part: keyof typeof columns) => {
      const column = columns[part];
      const text = column === undefined ? undefined : row[column]?.trim();
      return text === undefined || text === '' ? null : text;
    };
    const path = cell('path');
    if (path === null) throw new Error(`${where}: the column "${columns.path}" is empty`);
    const beside = async (part: 'mask' | 'annotation') => {
      const other = cell(part);
      return other === null ? null : localFile(folder, other, where, digests);
    };
    return {
      id: cell('id') ?? idOfPath(path),
      file: await localFile(folder, path, where, digests),
      patient: cell('patient'),
      site: cell('site'),
      word: cell('class'),
      mask: await beside('mask'),
      annotation: await beside('annotation'),
      mpp: mppOf(cell('mpp'), where),
      ...splitOf(cell('split'), where),
    };
  };
  // An invalid row is excluded alone, in the table's order whichever is read first.
  const outcomes = await inParallel(rows.objects() as Record<string, string>[], async (row, index) =>
    read(row, index).catch((error: Error) =>
      faultOf(row[columns.id ?? columns.path]?.trim() || `row ${index + 1}`, error),
    ),
  );
  for (const outcome of outcomes) 'fault' in outcome ? excluded.push(outcome) : slides.push(outcome);
  return { slides, excluded, from: "a user's table" };
}

/**
 * Reads a CSV file with all cells as text: an id such as 007 is not a number.
 *
 * @throws Error that names the file and the problem
 */
export async function readRows(path: string): Promise<ColumnTable> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new Error(`the table ${path} cannot be read: ${(error as Error).message}`);
  }
  let parsed: ReturnType<typeof parseCsv>;
  try {
    parsed = parseCsv(textOf(bytes));
  } catch (error) {
    throw new Error(`the table ${path} is not a CSV: ${(error as Error).message}`);
  }
  const { columns, rows } = parsed;
  const separator = /[;\t]/.exec(columns.length === 1 ? columns[0]! : '')?.[0];
  if (separator !== undefined) {
    const what = separator === ';' ? 'semicolons' : 'tabs';
    throw new Error(`the table ${path} has ${what} between its cells; save it with commas`);
  }
  if (rows.length === 0) throw new Error(`the table ${path} has no rows`);
  return table(Object.fromEntries(columns.map((name, place) => [name, rows.map((cells) => cells[place]!)])));
}

/** Without the byte order mark. Other encodings would change names and classes. */
function textOf(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Error('its text is not UTF-8; save it as "CSV UTF-8"');
  }
}

/**
 * A name from a path: folders and special characters become "-", and the extension is removed. A name with letters
 * outside ASCII ends with a hash of the path, since little else would be left of it.
 */
export function idOfPath(path: string): string {
  // Unicode has two forms of some names, and file systems differ in which they return.
  const spelled = path.normalize('NFC');
  const plain = spelled
    .replace(/\.[^./]+$/, '')
    .replace(/[^A-Za-z0-9_-]+/g, '-')
    .replace(/^[-_]+/, '');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
  if (/^[\u0000-\u007f]*$/.test(spelled)) return plain;
  return [plain.replace(/-+$/, ''), sha256(spelled).slice(0, 8)].filter((part) => part !== '').join('-');
}

/** Names of splits in users' tables and folders. */
const splitsByName: Readonly<Record<string, SplitName>> = {
  ...{ train: 'train', training: 'train', test: 'test', testing: 'test' },
  ...{ validation: 'validation', valid: 'validation', val: 'validation' },
};

/** The names, for messages. */
export const splitNameList = Object.keys(splitsByName).join(', ');

/** The split of a name in any case; undefined for other words. */
export function splitNameOf(word: string): SplitName | undefined {
  const name = word.toLowerCase();
  return Object.hasOwn(splitsByName, name) ? splitsByName[name] : undefined;
}

function splitOf(text: string | null, where: string): { split?: SplitName } {
  if (text === null) return {};
  return { split: parseSplitName(text, where) };
}

/** @throws Error with `where` for a word that is not a split name */
export function parseSplitName(word: string, where: string): SplitName {
  const split = splitNameOf(word);
  if (split) return split;
  throw new Error(`${where}: "${word}" is not the name of a split: ${splitNameList}`);
}

function mppOf(text: string | null, where: string): number | null {
  if (text === null) return null;
  const mpp = Number(text);
  if (isPixelSize(mpp)) return mpp;
  throw new Error(`${where}: "${text}" is not a pixel size, ${minMpp} to ${maxMpp} um`);
}
