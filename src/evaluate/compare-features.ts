import type { Key } from '../base/index.js';
import type { BatchSource } from '../input/index.js';
import { type Encoder, extractFeatures, type Features } from './features.js';
import { knnClassify } from './knn.js';
import { linearProbe } from './linear-probe.js';
import type { Unit } from './metrics/metric.js';
import { chanceAccuracy } from './monitors.js';
import { minPatients } from './statistics/bootstrap.js';
import { clusterBootstrapInterval, type Interval, pairedDifferenceInterval } from './statistics/intervals.js';

/** Accuracy of a classifier on one kind of features. */
export interface FeatureAccuracy {
  name: string;
  /** Fraction of the held-out patches whose class is correct. */
  value: number;
  /** Null where there are too few groups to resample. */
  interval: Interval | null;
  correct: readonly boolean[];
}

/** Gain of the first kind of features over another, on the same patches. */
export interface FeatureGain {
  name: string;
  /** Difference of the accuracies, first minus other. */
  value: number;
  /** Null where there are too few groups to resample. */
  interval: Interval | null;
}

/** Kinds of features by one classifier. */
export interface JudgedFeatures {
  /** In the order that the kinds were given in. */
  accuracies: readonly FeatureAccuracy[];
  /** One for each kind but the first. */
  gains: readonly FeatureGain[];
}

/** By kNN, and by a linear probe. */
export interface FeatureComparison extends JudgedFeatures {
  /** See `linearProbe`. */
  linear: JudgedFeatures;
  /** Chance level: accuracy of always predicting the most frequent class. */
  chance: number;
  neighbors: number;
  patches: number;
  /** Units that the intervals resample: patients, slides or patches; and their number. */
  groups: { of: Unit; count: number };
}

/**
 * Compares kinds of features by kNN (each held-out patch gets the class of its nearest neighbors in the bank) and by a linear
 * probe of the bank. The intervals resample patients if known, else slides, else patches, at least five; differences are
 * paired by patch.
 *
 * @param options.features by name, the evaluated one first: an encoder, or a function of a source
 * @throws RangeError if the bank has fewer patches than neighbors
 */
export async function compareFeatures(options: {
  bank: BatchSource;
  queries: BatchSource;
  features: Readonly<Record<string, Encoder | ((patches: BatchSource) => Promise<Features>)>>;
  neighbors: number;
  key: Key;
  signal?: AbortSignal;
}): Promise<FeatureComparison> {
  const { bank, queries, neighbors, key, signal } = options;
  const groups = groupsOf(queries);
  const count = new Set(groups.names).size;
  const classes = bank.dataset.classNames.length;
  const byKnn: Record<string, readonly boolean[]> = {};
  const byProbe: Record<string, readonly boolean[]> = {};
  for (const [name, kind] of Object.entries(options.features)) {
    const featuresOf =
      typeof kind === 'function' ? kind : (patches: BatchSource) => extractFeatures(kind, patches, { signal });
    const [known, asked] = [await featuresOf(bank), await featuresOf(queries)];
    const labels = [bank.labels, asked, queries.labels] as const;
    byKnn[name] = (await knnClassify(known, ...labels, { classes, neighbors })).correct;
    byProbe[name] = (await linearProbe(known, ...labels, { classes })).correct;
  }
  const resampled = count < minPatients ? null : groups.names;
  const judge = (correct: Record<string, readonly boolean[]>) => judged(correct, resampled, { key, of: groups.of });
  const chance = chanceAccuracy(queries);
  const common = { chance, neighbors, patches: queries.count, groups: { of: groups.of, count } };
  return { ...judge(byKnn), linear: judge(byProbe), ...common };
}

/**
 * @param correct of each kind of features, the evaluated one first
 * @param groups of each patch, to resample; null for no intervals
 */
function judged(
  correct: Readonly<Record<string, readonly boolean[]>>,
  groups: readonly string[] | null,
  { key, of }: { key: Key; of: Unit },
): JudgedFeatures {
  const bootstrap = (name: string) => ({ key: key.fold(name), clusters: of });
  const accuracies = Object.entries(correct).map(([name, correct]) => ({
    ...{ name, correct, value: correct.filter(Boolean).length / correct.length },
    interval: groups && clusterBootstrapInterval(correct, groups, bootstrap('interval')),
  }));
  const [first, ...others] = accuracies as [FeatureAccuracy, ...FeatureAccuracy[]];
  const gains = others.map(({ name, value, correct }) => ({
    ...{ name, value: first.value - value },
    interval: groups && pairedDifferenceInterval(correct, first.correct, groups, bootstrap('difference')),
  }));
  return { accuracies, gains };
}

/**
 * The group of each patch of a source: its patient, its slide if patients are unknown, or the patch itself.
 *
 * @param unit what the groups are; by default, what is known of these patches
 */
export function groupsOf(
  { dataset, rows }: Pick<BatchSource, 'dataset' | 'rows'>,
  unit?: Unit,
): { of: Unit; names: string[] } {
  const { patients, slides } = dataset;
  const known = unit ? unit === 'patients' : rows.every((row) => patients.codes[row]! >= 0);
  const column = known ? patients : slides;
  const names = Array.from(rows, (row) => column.names[column.codes[row]!]!);
  if (unit) return { of: unit, names };
  if (known) return { of: 'patients', names };
  // In the index, a precut patch is its own slide.
  return { of: new Set(names).size === names.length ? 'patches' : 'slides', names };
}
