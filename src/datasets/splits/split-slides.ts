import { canonicalJson, type Key, sha256 } from '../../base/index.js';
import type { SplitName, SplitRule } from '../definition.js';

/** What a split needs to know of a slide (or precut patch). */
export interface SplitItem {
  id: string;
  patient: string | null;
  site: string | null;
  class: string | null;
  /** Its weight in the fractions, such as its number of patches; 1 by default. */
  weight?: number;
}

/** There are too few slides, patients or sites for a rule. */
export class TooFewError extends Error {
  override name = 'TooFewError';
}

/** The splits of one fold: ids, in order. */
export type Fold = Readonly<Record<SplitName, readonly string[]>>;

export interface DatasetSplit {
  rule: SplitRule;
  folds: readonly Fold[];
  /** Slides in no split, because their patient or site is unknown. */
  excluded: readonly string[];
  /** Hash of all of this, for provenance. */
  sha256: string;
}

/** Slides that must be in one split. */
interface Group {
  name: string;
  slides: SplitItem[];
  weight: number;
  /** The class of most of its slides. */
  class: string;
}

/**
 * Splits slides into training, validation and test, once for each fold. Each slide, patient or site is in one split.
 * The held-out slides (validation and test) of the folds are disjoint. The result depends on the slides, the rule and
 * the key alone, not on the order in which the slides come.
 *
 * Fractions are of slides (or of their weights), and each requested split gets at least one group; stratified, at least
 * one of each class, so that rare classes have a larger share of it.
 *
 * @throws TooFewError when there are too few slides, patients or sites (of a class) for the rule
 */
export function splitSlides(slides: readonly SplitItem[], rule: SplitRule, key: Key): DatasetSplit {
  checkRule(rule);
  const known = slides.filter((slide) => groupName(slide, rule) !== null);
  const groups = groupsOf(known, rule);
  const strata = rule.stratified ? byClass(groups) : new Map([['', groups]]);
  const folds = Array.from({ length: rule.folds }, () => ({ validation: [] as string[], test: [] as string[] }));
  for (const [name, members] of strata) drawHeldOut(members, name, rule, key, folds);
  const ids = known.map(({ id }) => id).sort();
  const whole = folds.map(({ validation, test }) => {
    const heldOut = new Set([...validation, ...test]);
    return { train: ids.filter((id) => !heldOut.has(id)), validation: validation.sort(), test: test.sort() };
  });
  const excluded = slides
    .filter((slide) => groupName(slide, rule) === null)
    .map(({ id }) => id)
    .sort();
  return { rule, folds: whole, excluded, sha256: sha256(canonicalJson({ rule, folds: whole, excluded })) };
}

/** The split of each slide of a fold. */
export function splitNames(fold: Fold): Map<string, SplitName> {
  const names: SplitName[] = ['train', 'validation', 'test'];
  return new Map(names.flatMap((name) => fold[name].map((id) => [id, name] as const)));
}

function checkRule({ validation, test, folds }: SplitRule): void {
  for (const [name, share] of Object.entries({ validation, test })) {
    if (!(share >= 0 && share < 1)) throw new RangeError(`${name} must be a fraction from 0 to below 1; got ${share}`);
  }
  if (!(Number.isSafeInteger(folds) && folds > 0))
    throw new RangeError(`folds must be a positive integer; got ${folds}`);
  if (folds * (validation + test) > 1) {
    throw new RangeError(
      `${folds} folds cannot each hold out a different ${100 * (validation + test)} % of the slides`,
    );
  }
}

function groupName(slide: SplitItem, { by }: SplitRule): string | null {
  return by === 'slide' ? slide.id : slide[by];
}

function groupsOf(slides: readonly SplitItem[], rule: SplitRule): Group[] {
  const groups = new Map<string, SplitItem[]>();
  for (const slide of slides) {
    const name = groupName(slide, rule)!;
    const members = groups.get(name);
    if (members) members.push(slide);
    else groups.set(name, [slide]);
  }
  return [...groups].map(([name, members]) => ({
    name,
    slides: members,
    weight: members.reduce((sum, slide) => sum + weightOf(slide), 0),
    class: commonest(members),
  }));
}

function weightOf({ weight = 1 }: SplitItem): number {
  return weight;
}

function commonest(slides: readonly SplitItem[]): string {
  const counts = new Map<string, number>();
  for (const slide of slides) counts.set(slide.class ?? '', (counts.get(slide.class ?? '') ?? 0) + weightOf(slide));
  return [...counts].sort(([one, a], [other, b]) => b - a || (one < other ? -1 : 1))[0]![0];
}

function byClass(groups: readonly Group[]): Map<string, Group[]> {
  const strata = new Map<string, Group[]>();
  for (const group of groups) {
    const members = strata.get(group.class);
    if (members) members.push(group);
    else strata.set(group.class, [group]);
  }
  return new Map([...strata].sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** Assigns some groups to validation and test of all folds; the rest is for training. */
function drawHeldOut(
  groups: readonly Group[],
  stratum: string,
  rule: SplitRule,
  key: Key,
  folds: { validation: string[]; test: string[] }[],
): void {
  // Each group's place follows from its own name, so that neither the order nor the other groups change it.
  const rank = new Map(groups.map(({ name }) => [name, key.fold('split').fold(name).toString()]));
  let waiting = [...groups].sort((one, other) => {
    const [a, b] = [rank.get(one.name)!, rank.get(other.name)!];
    return a < b ? -1 : a > b ? 1 : one.name < other.name ? -1 : 1;
  });
  const all = groups.reduce((sum, { weight }) => sum + weight, 0);
  for (const fold of folds) {
    for (const name of ['test', 'validation'] as const) {
      if (rule[name] === 0) continue;
      const { taken, left } = takeAbout(waiting, Math.max(1, Math.round(rule[name] * all)));
      if (taken.length === 0 || left.length === 0) throw tooFew(groups.length, stratum, rule);
      waiting = left;
      fold[name].push(...taken.flatMap(({ slides }) => slides.map(({ id }) => id)));
    }
  }
}

/** Takes groups in the order of the list, passing over those that are too large for what is still missing. */
function takeAbout(waiting: readonly Group[], target: number): { taken: Group[]; left: Group[] } {
  const taken: Group[] = [];
  const left: Group[] = [];
  let count = 0;
  for (const group of waiting) {
    const fits = count + group.weight <= 1.02 * target;
    (fits ? taken : left).push(group);
    if (fits) count += group.weight;
  }
  // All remaining groups are too large, but the smallest may still bring the split nearer to its target.
  const least = left.reduce((smallest, { weight }) => Math.min(smallest, weight), Infinity);
  if (taken.length === 0 || Math.abs(count + least - target) < Math.abs(count - target)) {
    taken.push(
      ...left.splice(
        left.findIndex(({ weight }) => weight === least),
        1,
      ),
    );
  }
  return { taken, left };
}

function tooFew(count: number, stratum: string, { by, folds, validation, test, stratified }: SplitRule): TooFewError {
  const least = folds * (Number(validation > 0) + Number(test > 0)) + 1;
  const of = stratified ? ` of the class "${stratum}"` : '';
  const what = by === 'slide' ? 'slides' : `${by}s`;
  const folded = folds === 1 ? '1 fold with held-out' : `${folds} folds with different held-out`;
  const ways = [
    ...(folds > 1 ? ['fewer folds'] : []),
    ...(stratified ? ['a rule that is not stratified'] : []),
    ...(by === 'slide' ? [] : ['a split by slide']),
    ...(count < least ? [] : ['smaller fractions']),
  ];
  return new TooFewError(
    `${folded} ${what}${of} ${folds === 1 ? 'needs' : 'need'} at least ${least}; there are ${count}` +
      `${count < least ? '' : `, too few for validation ${validation} and test ${test} of the slides`}. ` +
      (ways.length > 0 ? `Use ${ways.join(', or ')}` : `Add more ${what}`),
  );
}
