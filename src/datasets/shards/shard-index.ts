import { readFile } from 'node:fs/promises';
import {
  bool,
  type Column,
  columnFromValues,
  type DataType,
  dictionary,
  float32,
  int32,
  int64,
  tableFromColumns,
  tableToIPC,
  utf8,
} from '@uwdata/flechette';
import { type ColumnTable, fromArrow } from 'arquero';
import type { PatchPlace } from './shard.js';

/** What the index says of one shard's patches, packed: a cohort has millions of them. */
export interface IndexedShard {
  /** File name in the dataset's folder. */
  shard: string;
  slide: string;
  patient: string | null;
  site: string | null;
  synthetic: boolean;
  count: number;
  offset: Float64Array;
  length: Int32Array;
  /** 0 where there is no mask. */
  maskOffset: Float64Array;
  maskLength: Int32Array;
  /** Places in `classNames`; -1 for none. */
  classes: Int16Array;
  classNames: readonly string[];
  x: Int32Array;
  y: Int32Array;
  scores: Readonly<Record<string, Float32Array>>;
  /** Of precut patches, each one's own: the shard's slide, patient and site are then nobody's. */
  own: readonly { slide: string; patient: string | null; site: string | null }[] | null;
  /** Splits of patches in the user's table; null if it has none. */
  splits: readonly (string | null)[] | null;
}

export function packShard(
  shard: Pick<IndexedShard, 'shard' | 'slide' | 'patient' | 'site' | 'synthetic'>,
  patches: readonly PatchPlace[],
): IndexedShard {
  const classNames = [...new Set(patches.flatMap(({ facts }) => facts.class ?? []))];
  const precut = patches.some(({ facts }) => facts.slide !== undefined);
  const placed = patches.some(({ facts }) => facts.split !== undefined);
  const scoreNames = [...new Set(patches.flatMap(({ facts }) => Object.keys(facts.scores)))];
  return {
    ...shard,
    count: patches.length,
    offset: Float64Array.from(patches, ({ image }) => image.offset),
    length: Int32Array.from(patches, ({ image }) => image.length),
    maskOffset: Float64Array.from(patches, ({ mask }) => mask?.offset ?? 0),
    maskLength: Int32Array.from(patches, ({ mask }) => mask?.length ?? 0),
    classes: Int16Array.from(patches, ({ facts }) => (facts.class === null ? -1 : classNames.indexOf(facts.class))),
    classNames,
    x: Int32Array.from(patches, ({ facts }) => facts.x),
    y: Int32Array.from(patches, ({ facts }) => facts.y),
    own: precut ? patches.map(({ facts: { slide, patient, site } }) => ({ slide: slide!, patient, site })) : null,
    splits: placed ? patches.map(({ facts }) => facts.split ?? null) : null,
    scores: Object.fromEntries(
      scoreNames.map((name) => [name, Float32Array.from(patches, ({ facts }) => facts.scores[name] ?? Number.NaN)]),
    ),
  };
}

const ownColumns: [string, DataType, (shard: IndexedShard, patch: number) => unknown][] = [
  ['shard', dictionary(utf8(), int32()), ({ shard }) => shard],
  ['slide', dictionary(utf8(), int32()), ({ slide, own }, patch) => (own ? own[patch]!.slide : slide)],
  ['patch', int32(), (_, patch) => patch],
  ['offset', int64(), ({ offset }, patch) => offset[patch]],
  ['length', int32(), ({ length }, patch) => length[patch]],
  ['maskOffset', int64(), ({ maskOffset }, patch) => maskOffset[patch] || null],
  ['maskLength', int32(), ({ maskLength }, patch) => maskLength[patch] || null],
  ['class', dictionary(utf8(), int32()), ({ classes, classNames }, patch) => classNames[classes[patch]!] ?? null],
  ['patient', dictionary(utf8(), int32()), ({ patient, own }, patch) => (own ? own[patch]!.patient : patient)],
  ['site', dictionary(utf8(), int32()), ({ site, own }, patch) => (own ? own[patch]!.site : site)],
  ['x', int32(), ({ x }, patch) => x[patch]],
  ['y', int32(), ({ y }, patch) => y[patch]],
  ['synthetic', bool(), ({ synthetic }) => synthetic],
];

/**
 * What `index.arrow` holds: a row a patch, in the order of the shards and in each in its own. Columns: shard (file
 * name), slide, patch (its number in the shard), offset and length of the JPEG (bytes), maskOffset and maskLength of
 * its mask (null without), class, patient, site (null where unknown), x, y (level-0 px), synthetic, split (only if a
 * user's table has a split), and each score by its name. Of a precut patch, slide is its own id.
 */
export function shardIndex(shards: readonly IndexedShard[]): Uint8Array {
  const scores = [...new Set(shards.flatMap((shard) => Object.keys(shard.scores)))].sort();
  const clash = scores.find((name) => name === 'split' || ownColumns.some(([own]) => own === name));
  if (clash) throw new RangeError(`no score can be called "${clash}": the index has a column of that name`);
  const column = (type: DataType, of: (shard: IndexedShard, patch: number) => unknown): Column<unknown> =>
    columnFromValues((visit: (value: unknown) => void) => {
      for (const shard of shards) for (let patch = 0; patch < shard.count; patch++) visit(of(shard, patch));
    }, type);
  const columns = ownColumns.map(([name, type, of]): [string, Column<unknown>] => [name, column(type, of)]);
  if (shards.some(({ splits }) => splits !== null)) {
    columns.push(['split', column(dictionary(utf8(), int32()), ({ splits }, patch) => splits?.[patch] ?? null)]);
  }
  for (const score of scores) {
    columns.push([score, column(float32(), (shard, patch) => shard.scores[score]?.[patch] ?? null)]);
  }
  return tableToIPC(tableFromColumns(columns), { format: 'file' })!;
}

/**
 * Reads `index.arrow` as a table; its columns are those that `shardIndex` names.
 *
 * @throws Error when it is missing, damaged or something else
 */
export async function readShardIndex(path: string): Promise<ColumnTable> {
  try {
    const index = fromArrow(await readFile(path));
    const missing = ownColumns.find(([name]) => !index.columnNames().includes(name));
    if (missing) throw new Error(`it has no column "${missing[0]}"`);
    return index;
  } catch (error) {
    throw new Error(`the index ${path} cannot be read (${(error as Error).message}); compile it again`);
  }
}
