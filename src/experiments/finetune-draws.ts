import type { Key } from '../base/index.js';
import type { ShardDataset } from '../datasets/index.js';

/** A patient, or what stands for it. */
export interface PatientGroup {
  /** Of the index. */
  rows: number[];
  /** Of the classes of its patches; -1 where they have masks only. */
  classes: ReadonlySet<number>;
  /** The one of them of which there are fewest patches. */
  label: number;
}

/** The groups of rows, in the order of their names. */
export function groupsIn(
  { labels }: Pick<ShardDataset, 'labels'>,
  rows: Int32Array,
  names: readonly string[],
): PatientGroup[] {
  const byName = new Map<string, number[]>();
  for (const [place, name] of names.entries()) {
    const own = byName.get(name);
    if (own) own.push(rows[place]!);
    else byName.set(name, [rows[place]!]);
  }
  const counts = new Map<number, number>();
  for (const row of rows) counts.set(labels[row]!, (counts.get(labels[row]!) ?? 0) + 1);
  const rarer = (one: number, other: number) => counts.get(one)! - counts.get(other)! < (one < other ? 1 : 0);
  return [...byName]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([, own]) => {
      const classes = new Set(own.map((row) => labels[row]!));
      return {
        rows: own,
        classes,
        label: [...classes].reduce((least, other) => (rarer(other, least) ? other : least)),
      };
    });
}

/**
 * Groups in the order in which they are drawn: some of them are the first ones, so that more add to fewer. Groups are taken
 * away one at a time, uniformly at random, except those that would leave fewer than `least` of a class; what is left is
 * drawn first. A group of several classes counts for each of them. So where every class is common, it is a uniform draw, and
 * a rare class is in it as soon as there is room.
 *
 * @param least 0: uniform draws, whatever the classes
 */
export function drawOrder<Of extends Pick<PatientGroup, 'classes'>>(
  groups: readonly Of[],
  from: Key,
  least: number,
): Of[] {
  const shuffled = from
    .fold(least)
    .generator()
    .shuffle([...groups]);
  if (least === 0) return shuffled;
  const left = new Map<number, number>();
  for (const { classes } of groups) for (const label of classes) left.set(label, (left.get(label) ?? 0) + 1);
  const [kept, taken]: [Of[], Of[]] = [[], []];
  for (const group of shuffled) {
    if ([...group.classes].some((label) => left.get(label)! <= least)) kept.push(group);
    else {
      taken.push(group);
      for (const label of group.classes) left.set(label, left.get(label)! - 1);
    }
  }
  return [...drawOrder(kept, from, least - 1), ...taken.reverse()];
}
