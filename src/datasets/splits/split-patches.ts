import { canonicalJson, type Key, sha256 } from '../../base/index.js';
import { quantity } from '../quantity.js';
import type { CodedColumn, ShardDataset } from '../shard-dataset.js';
import { type SplitItem, splitSlides, TooFewError } from './split-slides.js';

/** What is split: patients, slides or single patches; or `given`, the user's table has the split. */
export type PatchSplitBy = 'given' | 'patient' | 'slide' | 'patch';

/** Training patches and held-out patches. */
export interface PatchSplit {
  by: PatchSplitBy;
  /** Rows of the index, ascending. */
  train: Int32Array;
  heldOut: Int32Array;
  /**
   * How many patients, slides or patches are in each part; of a given split patients if they are known, else patches.
   */
  groups: { train: number; heldOut: number };
  /** Warnings and remarks, a sentence each. */
  notes: string[];
  /** Hash of the index and of both parts. */
  sha256: string;
}

export interface SplitPatchesOptions {
  /** Share of the labelled patches (of all, where none is labelled) to hold out, above 0 and below 1; a third by default. */
  heldOut?: number;
  /** By default what the data allow, in the order of `PatchSplitBy`. */
  by?: PatchSplitBy;
}

type Patches = Pick<
  ShardDataset,
  'count' | 'labels' | 'classNames' | 'slides' | 'patients' | 'splits' | 'image' | 'indexSha256' | 'report'
>;

/** The part of each patch. */
const nowhere = 0;
const train = 1;
const heldOut = 2;

/** Draws to find one with every class in both parts. */
const draws = 20;

/**
 * Splits patches into training and held-out ones. A user's own split is kept, with validation and test held out.
 * Otherwise patients are split if the patient of at least half of the (labelled) patches is known, and patches of
 * unknown patient are in neither part; else slides, if patches were cut from slides; else single patches, with a
 * warning in `notes`. Classes keep their proportions if each has enough patients or slides. The result depends on
 * patches and key, not on the order of rows.
 *
 * @throws RangeError for an invalid fraction; Error when nothing can be held out, or the requested groups are unknown
 */
export function splitPatches(dataset: Patches, options: SplitPatchesOptions, key: Key): PatchSplit {
  const share = options.heldOut ?? 1 / 3;
  if (!(share > 0 && share < 1)) throw new RangeError(`heldOut must be a fraction above 0 and below 1; got ${share}`);
  const notes: string[] = [];
  const by = options.by ?? defaultSplitBy(dataset, notes);
  const parts = assignParts(by, dataset, share, key, notes);
  notes.push(...excludedNotes(by, parts), ...patientNotes(by, dataset, parts), ...classNotes(dataset, parts));
  const rows = (part: number) => {
    const found = new Int32Array(countOf(parts, part));
    for (let row = 0, at = 0; row < parts.length; row++) if (parts[row] === part) found[at++] = row;
    return found;
  };
  const split = { train: rows(train), heldOut: rows(heldOut) };
  for (const [name, part] of Object.entries(split)) {
    if (part.length === 0)
      throw new Error(`the split has no patch ${name === 'train' ? 'to train on' : 'to evaluate on'}`);
  }
  const column = columnOf(by, dataset);
  const groupCount = (part: Int32Array) => (column ? new Set(part.map((row) => column.codes[row]!)).size : part.length);
  return {
    by,
    ...split,
    groups: { train: groupCount(split.train), heldOut: groupCount(split.heldOut) },
    notes,
    sha256: sha256(
      canonicalJson({
        index: dataset.indexSha256,
        train: sha256(new Uint8Array(split.train.buffer)),
        heldOut: sha256(new Uint8Array(split.heldOut.buffer)),
      }),
    ),
  };
}

function defaultSplitBy({ splits, patients, labels, report }: Patches, notes: string[]): PatchSplitBy {
  if (splits) {
    const parts = givenSplits(splits);
    if (countOf(parts, train) > 0 && countOf(parts, heldOut) > 0) return 'given';
    notes.push(`The table's own split is not used, because it has ${splits.names.join(' and ')} only.`);
  }
  let known = 0;
  let all = 0;
  const isLabelled = labels.some((label) => label >= 0);
  for (let row = 0; row < labels.length; row++) {
    if (isLabelled && labels[row]! < 0) continue;
    all++;
    if (patients.codes[row]! >= 0) known++;
  }
  if (known > 0 && 2 * known >= all) return 'patient';
  return report.precut ? 'patch' : 'slide';
}

function columnOf(by: PatchSplitBy, { patients, slides }: Patches): CodedColumn | undefined {
  if (by === 'slide') return slides;
  return by === 'patient' || (by === 'given' && patients.names.length > 0) ? patients : undefined;
}

function assignParts(by: PatchSplitBy, dataset: Patches, share: number, key: Key, notes: string[]): Uint8Array {
  switch (by) {
    case 'given':
      if (!dataset.splits) throw new Error('there is no given split: no patch has a split name');
      return givenSplits(dataset.splits);
    case 'patient':
    case 'slide':
      return partsOfGroups(dataset, by, share, key, notes);
    case 'patch':
      return partsOfPatches(dataset, share, key);
    default:
      throw new RangeError(`by must be given, patient, slide or patch; got ${JSON.stringify(by)}`);
  }
}

function givenSplits({ codes, names }: CodedColumn): Uint8Array {
  const partOf = names.map((name) => (name === 'train' ? train : heldOut));
  return Uint8Array.from(codes, (code) => partOf[code] ?? nowhere);
}

/** Draws whole patients or slides. Those without a labelled patch, if others have some, are for training. */
function partsOfGroups(
  dataset: Patches,
  by: 'patient' | 'slide',
  share: number,
  key: Key,
  notes: string[],
): Uint8Array {
  const { codes, names } = columnOf(by, dataset)!;
  const classesOfGroups = groupClasses(dataset, codes);
  const weights = new Map<number, { weight: number; most: number; class: string | null }>();
  for (const { group, label, patches } of classesOfGroups) {
    const known = weights.get(group);
    const isMost = patches > (known?.most ?? 0);
    weights.set(group, {
      weight: patches + (known?.weight ?? 0),
      most: isMost ? patches : known!.most,
      class: isMost ? (dataset.classNames[label] ?? null) : known!.class,
    });
  }
  const groups = [...weights].map(([group, { weight, class: name }]): SplitItem => {
    const id = names[group]!;
    return { id, patient: id, site: null, class: name, weight };
  });
  if (groups.length === 0) throw new Error(`no ${by} is known; choose another split (by)`);
  if (groups.length === 1) {
    throw new Error(
      `all patches${dataset.labels.some((label) => label >= 0) ? ' with a class' : ''} are of one ${by}, ` +
        `${groups[0]!.id}: it cannot be in both parts; to split its patches anyway, use by: "patch"`,
    );
  }
  const unlabelled = names.length - groups.length;
  if (unlabelled > 0)
    notes.push(`For training only, because none of their patches has a class: ${quantity(unlabelled, by)}.`);
  const held = bestDraw(groups, classesOfGroups, names, { by, share, key, notes });
  const partOf = names.map((name) => (held.has(name) ? heldOut : train));
  return Uint8Array.from(codes, (code) => partOf[code] ?? nowhere);
}

interface GroupClass {
  group: number;
  /** -1 where no patch is labelled. */
  label: number;
  patches: number;
}

/** How many patches of each class each group has, by group and class; sorted numbers, to save memory. */
function groupClasses({ labels, classNames }: Patches, codes: Int32Array): GroupClass[] {
  const isLabelled = labels.some((label) => label >= 0);
  const classes = classNames.length + 1;
  const pairs = new Float64Array(labels.length);
  let count = 0;
  for (let row = 0; row < labels.length; row++) {
    if (codes[row]! < 0 || (isLabelled && labels[row]! < 0)) continue;
    pairs[count++] = codes[row]! * classes + labels[row]! + 1;
  }
  const sorted = pairs.subarray(0, count).sort();
  const found: GroupClass[] = [];
  for (let first = 0, end = 0; first < count; first = end) {
    const pair = sorted[first]!;
    while (end < count && sorted[end] === pair) end++;
    found.push({ group: Math.floor(pair / classes), label: (pair % classes) - 1, patches: end - first });
  }
  return found;
}

/**
 * Names of the groups to hold out: of some draws the first with every class in both parts, or the one that lacks
 * fewest.
 */
function bestDraw(
  groups: readonly SplitItem[],
  classesOfGroups: readonly GroupClass[],
  names: readonly string[],
  { by, share, key, notes }: { by: 'patient' | 'slide'; share: number; key: Key; notes: string[] },
): ReadonlySet<string> {
  const rule = { by, validation: 0, test: share, folds: 1, stratified: true };
  const groupsOfClass = new Map<number, number>();
  for (const { label } of classesOfGroups) groupsOfClass.set(label, (groupsOfClass.get(label) ?? 0) + 1);
  const unavoidable = [...groupsOfClass.values()].filter((count) => count === 1).length;
  let best: { held: ReadonlySet<string>; missing: number } | undefined;
  for (let draw = 0; draw < draws && best?.missing !== unavoidable; draw++) {
    const from = key.fold('patches').fold(draw);
    let held: ReadonlySet<string>;
    try {
      held = new Set(splitSlides(groups, rule, from).folds[0]!.test);
    } catch (error) {
      if (!(error instanceof TooFewError && rule.stratified)) throw error;
      rule.stratified = false;
      notes.push(`There are too few ${by}s of some classes to keep the classes in proportion in both parts.`);
      held = new Set(splitSlides(groups, rule, from).folds[0]!.test);
    }
    const inPart = [new Set<number>(), new Set<number>()];
    for (const { group, label } of classesOfGroups) inPart[held.has(names[group]!) ? 1 : 0]!.add(label);
    const missing = 2 * groupsOfClass.size - inPart[0]!.size - inPart[1]!.size;
    if (!best || missing < best.missing) best = { held, missing };
  }
  return best!.held;
}

/**
 * Draws single patches, the same fraction of each class; those without a class, if others have one, are for training.
 */
function partsOfPatches({ count, labels, slides, image, report }: Patches, share: number, key: Key): Uint8Array {
  const ofSlides = slides.names.map((name) => key.fold('patches').fold(name));
  const ranks = Float64Array.from(slides.codes, (code, row) => {
    // A precut patch is a slide of its own; another is found by its place in the slide's shard.
    const [high, low] = (report.precut ? ofSlides[code]! : ofSlides[code]!.fold(image.offset[row]!)).words;
    return (high >>> 0) * 2 ** 21 + (low >>> 11);
  });
  const parts = new Uint8Array(count).fill(train);
  const strata = new Set(labels);
  if (strata.size > 1) strata.delete(-1);
  for (const label of strata) {
    const ofClass = ranks.filter((_, row) => labels[row] === label).sort();
    const most = ofClass[Math.min(ofClass.length - 1, Math.max(1, Math.round(share * ofClass.length))) - 1] ?? -1;
    for (let row = 0; row < count; row++) if (labels[row] === label && ranks[row]! <= most) parts[row] = heldOut;
  }
  return parts;
}

function excludedNotes(by: PatchSplitBy, parts: Uint8Array): string[] {
  const count = countOf(parts, nowhere);
  if (count === 0) return [];
  const why = by === 'given' ? 'that the table puts in no split' : `of unknown ${by}`;
  return [`In neither part: ${quantity(count, 'patch', 'patches')} ${why}.`];
}

/** Whether metrics on held-out patches may be too good. */
function patientNotes(by: PatchSplitBy, { patients }: Patches, parts: Uint8Array): string[] {
  if (by === 'patient') return [];
  const what = {
    given: "The split is the table's",
    slide: 'The split is by slide',
    patch: 'The split is by patch',
  }[by];
  if (patients.names.length === 0) {
    const loud = by === 'patch' ? 'PATIENTS ARE NOT KNOWN' : 'Patients are not known';
    return [`${loud}. ${what}: one patient may be in both parts, so metrics on held-out patches may be too good.`];
  }
  const seen = new Uint8Array(patients.names.length);
  for (let row = 0; row < parts.length; row++)
    if (patients.codes[row]! >= 0) seen[patients.codes[row]!]! |= parts[row]!;
  const both = countOf(seen, train | heldOut);
  if (both === 0) return [];
  return [`${what}. In both parts: ${quantity(both, 'patient')}, so metrics on held-out patches are too good.`];
}

function classNotes({ labels, classNames }: Patches, parts: Uint8Array): string[] {
  const seen = new Uint8Array(classNames.length);
  for (let row = 0; row < parts.length; row++) if (labels[row]! >= 0) seen[labels[row]!]! |= parts[row]!;
  const lacking = (part: number, words: string) => {
    const names = classNames.filter((_, label) => seen[label]! > 0 && (seen[label]! & part) === 0);
    return names.length === 0 ? [] : [`No patch ${words} is of the class ${names.join(', ')}.`];
  };
  return [...lacking(heldOut, 'that is held out'), ...lacking(train, 'to train on')];
}

function countOf(parts: Uint8Array, part: number): number {
  let count = 0;
  for (const one of parts) if (one === part) count++;
  return count;
}
