import { join } from 'node:path';
import type { ColumnTable } from 'arquero';
import { digestOfFile } from '../base/index.js';
import { type CompileReport, readReport } from './compile/index.js';
import { readShardIndex } from './shards/index.js';

/** A column of names as codes: for each patch an index into `names`, -1 if unknown. */
export interface CodedColumn {
  codes: Int32Array;
  names: readonly string[];
}

/** A compiled dataset, its index in memory and its images on disk. Row `i` of every list belongs to patch `i`. */
export interface ShardDataset {
  folder: string;
  report: CompileReport;
  /** `index.arrow`, and its hash, which covers everything in the shards. */
  index: ColumnTable;
  indexSha256: string;
  count: number;
  /** Side of the images, px. */
  size: number;
  /** Class of each patch, an index into `classNames`; -1 for none. */
  labels: Int32Array;
  classNames: readonly string[];
  /** Slide of each patch; for a precut patch, its own id. */
  slides: CodedColumn;
  patients: CodedColumn;
  sites: CodedColumn;
  /** The split of each patch in the user's table: train, validation or test; null if it has none. */
  splits: CodedColumn | null;
  /** 1 for synthetic patches, else 0. */
  synthetic: Uint8Array;
  /** Shard of each patch, an index into `shardNames`. */
  shards: Int32Array;
  shardNames: readonly string[];
  /** Position of each JPEG and each mask in its shard; without a mask, length 0. */
  image: { offset: Float64Array; length: Int32Array };
  mask: { offset: Float64Array; length: Int32Array };
}

/**
 * Opens a compiled dataset. Classes are in the definition's order: all of them if patches have masks, whose values are
 * indices in that order, else those with patches.
 *
 * @param folder with `index.arrow` and `report.json`
 * @throws Error when the folder is not a compiled dataset
 */
export async function openShardDataset(folder: string): Promise<ShardDataset> {
  const path = join(folder, 'index.arrow');
  const report = await readReport(folder);
  const index = await readShardIndex(path);
  const count = index.numRows();
  const classes = codedColumn(index, 'class');
  const shards = codedColumn(index, 'shard');
  const offsets = (name: string) => filled(new Float64Array(count), index, name);
  const lengths = (name: string) => filled(new Int32Array(count), index, name);
  const mask = { offset: offsets('maskOffset'), length: lengths('maskLength') };
  const hasMasks = mask.length.some((bytes) => bytes > 0);
  const classNames = report.classes.filter((name) => hasMasks || classes.names.includes(name));
  const unknown = classes.names.find((name) => !classNames.includes(name));
  if (unknown !== undefined) {
    throw new Error(`${folder} has patches of the class "${unknown}", which is not in its report; compile it again`);
  }
  const labels = classes.names.map((name) => classNames.indexOf(name));
  return {
    folder,
    report,
    index,
    indexSha256: await digestOfFile(path),
    count,
    size: report.settings.geometry.pixels,
    labels: classes.codes.map((code) => labels[code] ?? -1),
    classNames,
    slides: codedColumn(index, 'slide'),
    patients: codedColumn(index, 'patient'),
    sites: codedColumn(index, 'site'),
    splits: index.columnNames().includes('split') ? codedColumn(index, 'split') : null,
    synthetic: filled(new Uint8Array(count), index, 'synthetic'),
    shards: shards.codes,
    shardNames: shards.names,
    image: { offset: offsets('offset'), length: lengths('length') },
    mask,
  };
}

/** Writes a column of numbers into an array, 0 for null, row by row to save memory. */
function filled<List extends Float64Array | Int32Array | Uint8Array>(
  list: List,
  index: ColumnTable,
  name: string,
): List {
  const column = index.column(name)!;
  for (let row = 0; row < list.length; row++) list[row] = Number(column.at(row));
  return list;
}

function codedColumn(index: ColumnTable, name: string): CodedColumn {
  const column = index.column(name)!;
  const places = new Map<string, number>();
  const codes = new Int32Array(index.numRows());
  for (let row = 0; row < codes.length; row++) {
    const text = column.at(row) as string | null;
    if (text !== null && !places.has(text)) places.set(text, places.size);
    codes[row] = text === null ? -1 : places.get(text)!;
  }
  return { codes, names: [...places.keys()] };
}
