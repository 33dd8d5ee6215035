import { table } from 'arquero';
import { type Key, key } from '../../base/index.js';
import type { SplitRule } from '../definition.js';
import { groupsOf, type NearPair, nearPairs, pairsAmong } from '../perceptual-hash.js';
import {
  auditSplit,
  type DatasetSplit,
  defaultNearDistance,
  type GroupKey,
  paperSeed,
  type SplitAudit,
  type SplitItem,
  splitNames,
  splitSlides,
  TooFewError,
} from '../splits/index.js';
import type { AuditedImage, AuditedImages, ImageFacts } from './images.js';

/**
 * What a rule keeps within one split; `patient and duplicates` also merges patients that share images that look alike.
 */
export type GroupBy = SplitRule['by'] | 'patient and duplicates';

/** One fold of a rule, and its leaks. Rows of near-duplicates are indices of images. */
export interface FoldAudit {
  by: GroupBy;
  /** From 1. */
  fold: number;
  folds: number;
  audit: SplitAudit;
}

/** Audits of several split rules on the same images. */
export interface RuleAudits {
  name: string;
  /** Images whose bytes and looks were compared, and all images; all are split. */
  compared: number;
  total: number;
  /** All pairs that look alike, in any split: at most `distance` of 256 bits differ. */
  pairs: number;
  distance: number;
  folds: readonly FoldAudit[];
  /** Rules for which there are too few slides, patients or sites. */
  impossible: readonly { by: GroupBy; reason: string }[];
}

export interface RuleAuditOptions {
  /** By default all four. */
  by?: readonly GroupBy[];
  /** Groups to check beside exact duplicates; by default slides, patients and sites. */
  apart?: readonly GroupKey[];
  /** Whether images across splits that look alike count as leaks; by default they are only listed. */
  near?: boolean;
  distance?: number;
  /** Of the draws; by default the paper's seed. */
  key?: Key;
}

const allGroupBy: readonly GroupBy[] = ['slide', 'patient', 'patient and duplicates', 'site'];

/**
 * Splits the images by a rule's fractions, once by slide, once by patient, once by patients merged if they share an
 * image, once by site, and lists the leaks of each. If there are too few groups for the rule's folds, it uses as many
 * folds as possible.
 */
export function auditRules(
  audited: Omit<AuditedImages, 'otherFiles' | 'read'>,
  rule: SplitRule,
  options: RuleAuditOptions = {},
): RuleAudits {
  const { images, unread, name, total } = audited;
  const { distance = defaultNearDistance, apart = ['slide', 'patient', 'site'], near } = options;
  const pairs = pairsOf(images, distance);
  const folds: FoldAudit[] = [];
  const impossible: { by: GroupBy; reason: string }[] = [];
  for (const by of options.by ?? allGroupBy) {
    const slides = slidesOf([...images, ...unread]);
    if (by === 'patient and duplicates') {
      const countedAs = patientOfDuplicates(images, pairs);
      for (const slide of slides) slide.patient = countedAs(slide.patient);
    }
    const ownRule = { ...rule, by: by === 'patient and duplicates' ? 'patient' : by } as const;
    const split = splitIfEnough(slides, ownRule, options.key ?? key(paperSeed));
    if (typeof split === 'string') impossible.push({ by, reason: split });
    else {
      split.folds.forEach((fold, index) => {
        const splits = splitNames(fold);
        const splitOf = (image: ImageFacts) => splits.get(slideOf(image)) ?? null;
        const audit = auditImages(audited, splitOf, pairs, { apart, near, distance });
        folds.push({ by, fold: index + 1, folds: split.folds.length, audit });
      });
    }
  }
  return { name, compared: images.length, total, pairs: pairs.length, distance, folds, impossible };
}

/** Audits images with an existing split. */
export function auditGivenSplit(
  audited: AuditedImages,
  { apart, near, distance = defaultNearDistance }: { apart: readonly GroupKey[]; near?: boolean; distance?: number },
): SplitAudit {
  return auditImages(audited, ({ split }) => split, pairsOf(audited.images, distance), { apart, near, distance });
}

function pairsOf(images: readonly AuditedImage[], distance: number): NearPair[] {
  return nearPairs(
    images.map(({ hash }) => hash),
    distance,
  );
}

/** The slide of an image; an image of unknown slide is its own. */
function slideOf({ slide, id }: ImageFacts): string {
  return slide ?? id;
}

function auditImages(
  { images, unread }: Pick<AuditedImages, 'images' | 'unread'>,
  splitOf: (image: ImageFacts) => string | null,
  pairs: readonly NearPair[],
  { apart, near, distance }: { apart: readonly GroupKey[]; near: boolean | undefined; distance: number },
): SplitAudit {
  const places = [...images.keys()].filter((place) => splitOf(images[place]!) !== null);
  const rowOf = new Map(places.map((place, row) => [place, row]));
  // The first rows are the images that were read, as the pairs count them.
  const placed: (ImageFacts & Partial<AuditedImage>)[] = places.map((place) => images[place]!);
  for (const image of unread) if (splitOf(image) !== null) placed.push(image);
  const rows = table({
    id: placed.map(({ id }) => id),
    split: placed.map((image) => splitOf(image)!),
    slide: placed.map(({ slide }) => slide),
    patient: placed.map(({ patient }) => patient),
    site: placed.map(({ site }) => site),
    sha256: placed.map(({ sha256 }) => sha256 ?? null),
  });
  const pairsOfRows = pairsAmong(pairs, (place) => rowOf.get(place));
  const audit = auditSplit(rows, { apart, near, pairs: pairsOfRows, nearDistance: distance });
  const nearDuplicates = audit.nearDuplicates.map((near) => ({
    ...near,
    rows: [places[near.rows[0]]!, places[near.rows[1]]!] as const,
  }));
  // Images that were not read may equal any other.
  return { ...audit, nearDuplicates, clean: audit.clean && audit.unknown['exact duplicate'] === 0 };
}

function slidesOf(images: readonly ImageFacts[]): SplitItem[] {
  const slides = new Map<string, SplitItem>();
  for (const image of images) {
    const id = slideOf(image);
    if (!slides.has(id)) slides.set(id, { ...image, id });
  }
  return [...slides.values()].map(({ id, patient, site, class: name }) => ({ id, patient, site, class: name }));
}

/**
 * The patient of each image, where patients that share images that look alike count as one: whose the tissue is,
 * nobody knows. Null where an image's patient is not known.
 */
export function patientsWithDuplicates(
  { images }: Pick<AuditedImages, 'images'>,
  pairs: readonly NearPair[] = pairsOf(images, defaultNearDistance),
): (string | null)[] {
  const countedAs = patientOfDuplicates(images, pairs);
  return images.map(({ patient }) => countedAs(patient));
}

/** The patient that a patient counts as. */
function patientOfDuplicates(
  images: readonly AuditedImage[],
  pairs: readonly NearPair[],
): (patient: string | null) => string | null {
  const names = [...new Set(images.map(({ patient }) => patient))].sort();
  const numberOf = new Map(names.map((name, number) => [name, number]));
  const patientPairs = pairs
    .map(({ one, other }) => ({ one: images[one]!.patient, other: images[other]!.patient }))
    .filter(({ one, other }) => one !== null && other !== null && one !== other)
    .map(({ one, other }) => ({ one: numberOf.get(one)!, other: numberOf.get(other)! }));
  const first = groupsOf(names.length, patientPairs);
  return (patient) => {
    const number = numberOf.get(patient);
    return number === undefined ? patient : names[first[number]!]!;
  };
}

/** The split, in as many folds as there can be; the reason where there can be none. */
function splitIfEnough(slides: readonly SplitItem[], rule: SplitRule, from: Key): DatasetSplit | string {
  for (let folds = rule.folds; ; folds--) {
    try {
      return splitSlides(slides, { ...rule, folds }, from);
    } catch (error) {
      if (!(error instanceof TooFewError)) throw error;
      if (folds === 1) return error.message;
    }
  }
}
