import { type ColumnTable, table } from 'arquero';
import { type NearPair, nearPairs } from '../perceptual-hash.js';
import type { Fold, SplitItem } from './split-slides.js';
import { splitNames } from './split-slides.js';

/** Groups that may be kept within one split. */
export type GroupKey = 'slide' | 'patient' | 'site';

export interface AuditOptions {
  /** What must not be across splits. */
  apart: readonly GroupKey[];
  /** Whether near-duplicates across splits count as leaks; by default they are only listed. */
  near?: boolean;
  /** The rows' perceptual hashes, in the rows' order; null for a row without an image. */
  hashes?: readonly (Uint32Array | null)[];
  /** Instead of hashes: the pairs of rows within `nearDistance`, which do not depend on the split (`nearPairs`). */
  pairs?: readonly NearPair[];
  /** Images whose hashes differ in at most this many of 256 bits are near-duplicates. */
  nearDistance?: number;
}

/** Something that is in more than one split. */
export interface Leak {
  kind: GroupKey | 'exact duplicate';
  /** Which slide, patient or site; or the SHA-256 of the bytes. */
  value: string;
  /** Its rows in each split. */
  splits: Readonly<Record<string, number>>;
  /** Up to five of their ids in each split. */
  examples: readonly string[];
}

export interface NearDuplicate {
  /** Places in the table. */
  rows: readonly [number, number];
  ids: readonly [string, string];
  splits: readonly [string, string];
  distance: number;
}

export interface SplitAudit {
  /** Rows in each split. */
  counts: Readonly<Record<string, number>>;
  apart: readonly GroupKey[];
  leaks: readonly Leak[];
  /**
   * Pairs across splits that look alike: inspect them, since tissue may look alike by chance. Every image that looks
   * like one in another split is in a pair; of many images with the same hash, such as blank ones, not all pairs are
   * listed.
   */
  nearDuplicates: readonly NearDuplicate[];
  /** Maximum distance of a pair, bits; null if images were not compared. */
  nearDistance: number | null;
  /** Rows with an unknown group, which were not checked; 0 for each group that was checked completely. */
  unknown: Readonly<Record<string, number>>;
  /**
   * Whether each of 20 rows or more has its own patient: the patients are then probably wrong, and nothing is proven.
   */
  lonePatients: boolean;
  /** Whether a leak was found; without one, some rows may still be unknown (`clean`). */
  leaking: boolean;
  /**
   * Whether no checked group and no known exact duplicate is across splits, and every row's group is known.
   * Near-duplicates count if requested (`near`). Rows without a hash of their bytes are counted in `unknown`.
   */
  clean: boolean;
}

/** Nearly all altered copies of real patches stay below it, different patches far above (see `perceptualHash`). */
export const defaultNearDistance = 24;

/**
 * Checks a split for leaks, and lists them.
 *
 * @param rows one row per slide or patch, with the columns `id` and `split`, and those of `slide`, `patient`, `site` and
 *   `sha256` (of the file's or image's bytes) to be checked
 * @throws Error when a required column is missing
 */
export function auditSplit(rows: ColumnTable, options: AuditOptions): SplitAudit {
  const columns = rows.columnNames();
  for (const name of ['id', 'split', ...options.apart]) {
    if (!columns.includes(name)) throw new Error(`the table has no column "${name}", which the audit needs`);
  }
  const values = (name: string) => rows.array(name) as (string | null | undefined)[];
  const ids = values('id') as string[];
  const splits = values('split') as string[];
  const counts: Record<string, number> = {};
  for (const split of splits) counts[split] = (counts[split] ?? 0) + 1;
  const checked: [Leak['kind'], string][] = options.apart.map((what) => [what, what]);
  if (columns.includes('sha256')) checked.push(['exact duplicate', 'sha256']);
  const leaks: Leak[] = [];
  const unknown: Record<string, number> = {};
  for (const [kind, column] of checked) {
    const cells = values(column);
    unknown[kind] = cells.filter((cell) => cell === null || cell === undefined || cell === '').length;
    leaks.push(...leaksOf(kind, cells, splits, ids));
  }
  const compared = options.hashes !== undefined || options.pairs !== undefined;
  const nearDistance = compared ? (options.nearDistance ?? defaultNearDistance) : null;
  const pairs = options.pairs ?? (options.hashes ? pairsOf(options.hashes, nearDistance!, ids.length) : []);
  const near = nearDuplicates(pairs, splits, ids);
  const lonePatients = options.apart.includes('patient') && areAlone(values('patient'));
  const leaking = leaks.length > 0 || (options.near === true && near.length > 0);
  return {
    counts,
    apart: options.apart,
    leaks,
    nearDuplicates: near,
    nearDistance,
    unknown,
    lonePatients,
    leaking,
    clean: !leaking && !lonePatients && options.apart.every((what) => unknown[what] === 0),
  };
}

function areAlone(patients: readonly (string | null | undefined)[]): boolean {
  return patients.length >= 20 && !patients.includes(null) && new Set(patients).size === patients.length;
}

function leaksOf(
  kind: Leak['kind'],
  cells: readonly (string | null | undefined)[],
  splits: readonly string[],
  ids: readonly string[],
): Leak[] {
  const found = new Map<string, number[]>();
  cells.forEach((cell, row) => {
    if (cell === null || cell === undefined || cell === '') return;
    const rows = found.get(cell);
    if (rows) rows.push(row);
    else found.set(cell, [row]);
  });
  const leaks: Leak[] = [];
  for (const [value, rows] of found) {
    const bySplit = new Map<string, number[]>();
    for (const row of rows) {
      const members = bySplit.get(splits[row]!);
      if (members) members.push(row);
      else bySplit.set(splits[row]!, [row]);
    }
    if (bySplit.size < 2) continue;
    leaks.push({
      kind,
      value,
      splits: Object.fromEntries([...bySplit].map(([split, members]) => [split, members.length]).sort()),
      examples: [...bySplit.values()].flatMap((members) => members.slice(0, 5).map((row) => ids[row]!)),
    });
  }
  return leaks.sort((one, other) => (one.value < other.value ? -1 : 1));
}

function pairsOf(hashes: readonly (Uint32Array | null)[], distance: number, rows: number): NearPair[] {
  if (hashes.length !== rows) {
    throw new RangeError(`there are ${hashes.length} hashes for ${rows} rows; each row needs one, or null`);
  }
  const places = hashes.flatMap((hash, row) => (hash ? [row] : []));
  const pairs = nearPairs(
    places.map((row) => hashes[row]!),
    distance,
  );
  return pairs.map(({ one, other, distance: bits }) => ({
    one: places[one]!,
    other: places[other]!,
    distance: bits,
  }));
}

/**
 * Pairs across splits. Every row that looks like a row of another split is in at least one pair. `nearPairs` lists rows with
 * equal hashes by the first of them only; here each such row gets one pair, since all pairs would be too many.
 */
function nearDuplicates(
  pairs: readonly NearPair[],
  splits: readonly string[],
  ids: readonly string[],
): NearDuplicate[] {
  const alike = new Map<number, number[]>();
  const membersOf = (first: number) => {
    const members = alike.get(first) ?? [first];
    alike.set(first, members);
    return members;
  };
  for (const { one, other, distance } of pairs) if (distance === 0) membersOf(one).push(other);
  const firsts = new Map<number, number[]>();
  /** The first row, in each split, of those that are like this one. */
  const firstsOf = (first: number) => {
    const known = firsts.get(first) ?? [
      ...new Map([...membersOf(first)].reverse().map((row) => [splits[row], row])).values(),
    ];
    firsts.set(first, known);
    return known;
  };
  const found = new Map<string, NearDuplicate>();
  const add = (row: number, partners: readonly number[], distance: number) => {
    const partner = partners.find((each) => splits[each] !== splits[row]);
    if (partner === undefined) return;
    const [one, other] = [Math.min(row, partner), Math.max(row, partner)];
    found.set(`${one} ${other}`, {
      rows: [one, other],
      ids: [ids[one]!, ids[other]!],
      splits: [splits[one]!, splits[other]!],
      distance,
    });
  };
  for (const [first, members] of [...alike]) for (const row of members) add(row, firstsOf(first), 0);
  for (const { one, other, distance } of pairs) {
    if (distance === 0) continue;
    for (const row of membersOf(one)) add(row, firstsOf(other), distance);
    for (const row of membersOf(other)) add(row, firstsOf(one), distance);
  }
  return [...found.values()].sort(
    (one, other) => one.distance - other.distance || one.rows[0] - other.rows[0] || one.rows[1] - other.rows[1],
  );
}

/** The table that `auditSplit` reads, of the slides of one fold. */
export function foldTable(slides: readonly (SplitItem & { sha256?: string | null })[], fold: Fold): ColumnTable {
  const splits = splitNames(fold);
  const placed = slides.filter(({ id }) => splits.has(id));
  return table({
    id: placed.map(({ id }) => id),
    split: placed.map(({ id }) => splits.get(id)!),
    slide: placed.map(({ id }) => id),
    patient: placed.map(({ patient }) => patient),
    site: placed.map(({ site }) => site),
    class: placed.map((slide) => slide.class),
    sha256: placed.map(({ sha256 }) => sha256 ?? null),
  });
}

/** An audit's leaks as a table: kind, value, splits, rows, examples. */
export function leakTable({ leaks, nearDuplicates: near }: SplitAudit): ColumnTable {
  const rows = [
    ...leaks.map(({ kind, value, splits, examples }) => ({
      kind: kind as string,
      value,
      splits: Object.entries(splits)
        .map(([split, count]) => `${split} ${count}`)
        .join(', '),
      examples: examples.join(', '),
    })),
    ...near.map(({ ids, splits, distance }) => ({
      kind: 'near-duplicate',
      value: `${distance} of 256 bits`,
      splits: splits.join(', '),
      examples: ids.join(', '),
    })),
  ];
  const column = (name: 'kind' | 'value' | 'splits' | 'examples') => rows.map((row) => row[name]);
  return table({
    kind: column('kind'),
    value: column('value'),
    splits: column('splits'),
    examples: column('examples'),
  });
}

/**
 * An audit in a sentence or two.
 *
 * @param warnings about the data, such as which column replaces patients: with one, no split is called clean
 */
export function auditText(
  { leaks, nearDuplicates: near, nearDistance, apart, unknown, counts, lonePatients, leaking, clean }: SplitAudit,
  warnings: readonly string[] = [],
): string {
  const splits = Object.entries(counts)
    .map(([split, count]) => `${split} ${count}`)
    .join(', ');
  const kinds = [...apart, 'exact duplicate'].map((kind) => {
    const count = leaks.filter((leak) => leak.kind === kind).length;
    const why = kind === 'exact duplicate' ? 'not compared' : 'unknown';
    const blind = unknown[kind] ? ` (${unknown[kind]} rows ${why})` : '';
    return `${count} ${kind}${count === 1 ? '' : 's'} across splits${kind in unknown ? blind : ' (not checked)'}`;
  });
  const alike =
    nearDistance === null
      ? ''
      : `; ${near.length} pairs across splits look alike (at most ${nearDistance} of 256 bits differ)`;
  const passed = warnings.length > 0 ? 'No leak found, but read the warning' : 'Clean';
  const verdict = clean ? passed : leaking ? 'NOT CLEAN' : 'NOT KNOWN to be clean';
  const alone = lonePatients
    ? ' EVERY ROW HAS ITS OWN PATIENT: check the column or the pattern that patients come from.'
    : '';
  return `${verdict}: ${kinds.join(', ')}${alike}. Split: ${splits}.${alone}`;
}
