import { join } from 'node:path';
import type { ColumnTable } from 'arquero';
import { digestOfFile } from '../../runs/index.js';
import { type CompileReport, readReport } from '../compile/index.js';
import { readShardIndex } from '../shards/index.js';

/** A text of each patch, as a place in `names`. */
export interface CodedColumn {
  codes: Int32Array;
  names: readonly string[];
}

/** A compiled dataset, its index in memory and its images on disk. Row `i` of every list belongs to patch `i`. */
export interface ShardDataset {
  folder: string;
  report: CompileReport;
  /** `index.arrow`, and the hash of that file: it stands for everything in the shards. */
  index: ColumnTable;
  indexSha256: string;
  count: number;
  /** Side of the images, px. */
  size: number;
  /** Class of each patch, a place in `classNames`; -1 where it has none. */
  labels: Int32Array;
  classNames: readonly string[];
  /** Slide, patient and site of each patch; -1 where it is not known. */
  slides: CodedColumn;
  patients: CodedColumn;
  sites: CodedColumn;
  /** Shard of each patch, a place in `shardNames`. */
  shards: Int32Array;
  shardNames: readonly string[];
  /** Where each JPEG lies in its shard, and each mask; of a patch without a mask, length 0. */
  image: { offset: Float64Array; length: Int32Array };
  mask: { offset: Float64Array; length: Int32Array };
}

/**
 * Opens what `compileDataset` made.
 *
 * @param folder with `index.arrow` and `report.json`
 * @param options.classNames the classes in the order of their numbers; by default those that are there, by name
 * @throws Error when the folder is not a compiled dataset, or holds a class that is not among `classNames`
 */
export async function openShardDataset(
  folder: string,
  options: { classNames?: readonly string[] } = {},
): Promise<ShardDataset> {
  const path = join(folder, 'index.arrow');
  const report = await readReport(folder);
  const index = await readShardIndex(path);
  const count = index.numRows();
  const classes = coded(index, 'class');
  const classNames = options.classNames ?? [...classes.names].sort();
  const unknown = classes.names.find((name) => !classNames.includes(name));
  if (unknown !== undefined)
    throw new Error(`${folder} has patches of the class "${unknown}", which is none of ${classNames}`);
  const numbers = classes.names.map((name) => classNames.indexOf(name));
  const shards = coded(index, 'shard');
  return {
    folder,
    report,
    index,
    indexSha256: await digestOfFile(path),
    count,
    size: report.settings.geometry.pixels,
    labels: classes.codes.map((code) => (code < 0 ? -1 : numbers[code]!)),
    classNames,
    slides: coded(index, 'slide'),
    patients: coded(index, 'patient'),
    sites: coded(index, 'site'),
    shards: shards.codes,
    shardNames: shards.names,
    image: { offset: Float64Array.from(column(index, 'offset')), length: Int32Array.from(column(index, 'length')) },
    mask: {
      offset: Float64Array.from(column(index, 'maskOffset'), (at) => at ?? 0),
      length: Int32Array.from(column(index, 'maskLength'), (bytes) => bytes ?? 0),
    },
  };
}

function column(index: ColumnTable, name: string): Iterable<number> {
  return index.array(name) as Iterable<number>;
}

/** A column of texts as numbers of its distinct values, -1 for null. */
function coded(index: ColumnTable, name: string): { codes: Int32Array; names: string[] } {
  const numbers = new Map<string, number>();
  const codes = Int32Array.from(index.array(name) as ArrayLike<unknown>, (text) => {
    if (typeof text !== 'string') return -1;
    if (!numbers.has(text)) numbers.set(text, numbers.size);
    return numbers.get(text)!;
  });
  return { codes, names: [...numbers.keys()] };
}
