import type { ClassifiedCases } from './classified-cases.js';
import { type MetricValue, meanOfExisting, type PatientMetric, type PatientSums } from './metric.js';

/** Cases from the highest to the lowest probability of a class. */
export interface Ranking {
  /** `[cases]`, place of the case's patient among the patients of all results. */
  patients: Int32Array;
  /** `[cases]`, 1 for a case of the class. */
  positive: Uint8Array;
  /** `[cases]`, 1 for the last of the cases with the same probability. */
  endsTie: Uint8Array;
  /** `[cases]`, probability of the class. */
  probabilities: Float32Array;
}

/** Ranks the cases of one or several results by the probability of a class. */
export function rankCases(results: readonly ClassifiedCases[], label: number): Ranking {
  const count = results.reduce((sum, { labels }) => sum + labels.length, 0);
  const probabilities = new Float32Array(count);
  const positive = new Uint8Array(count);
  const patients = new Int32Array(count);
  let [at, offset] = [0, 0];
  for (const result of results) {
    const classes = result.classNames.length;
    for (let row = 0; row < result.labels.length; row++, at++) {
      probabilities[at] = result.probabilities[row * classes + label]!;
      positive[at] = Number(result.labels[row] === label);
      patients[at] = offset + result.patientOf[row]!;
    }
    offset += result.patients.length;
  }
  const order = Uint32Array.from(probabilities.keys()).sort(
    (one, other) => probabilities[other]! - probabilities[one]!,
  );
  const sorted = Float32Array.from(order, (row) => probabilities[row]!);
  return {
    patients: Int32Array.from(order, (row) => patients[row]!),
    positive: Uint8Array.from(order, (row) => positive[row]!),
    endsTie: Uint8Array.from(sorted, (probability, place) => Number(sorted[place + 1] !== probability)),
    probabilities: sorted,
  };
}

/** Numbers of cases at or above a threshold. */
export interface Threshold {
  truePositives: number;
  falsePositives: number;
  /** Of the last case at or above it. */
  place: number;
}

/** All thresholds, from the highest to the lowest. */
export function thresholds({ patients, positive, endsTie }: Ranking, draws: Float64Array): Threshold[] {
  const found: Threshold[] = [];
  let [truePositives, falsePositives] = [0, 0];
  for (let place = 0; place < patients.length; place++) {
    const times = draws[patients[place]!]!;
    if (positive[place]) truePositives += times;
    else falsePositives += times;
    if (endsTie[place]) found.push({ truePositives, falsePositives, place });
  }
  return found;
}

/*
 * The areas are evaluated on thousands of draws: their loops make no objects, and have no branch that depends on a draw.
 */

/** Area under the ROC curve, ties counting half; null unless there are positives and negatives. */
export function areaUnderRoc({ patients, positive, endsTie }: Ranking, draws: Float64Array): number | null {
  let [area, positives, negatives, tiedPositives, tiedNegatives] = [0, 0, 0, 0, 0];
  for (let place = 0; place < patients.length; place++) {
    const times = draws[patients[place]!]!;
    const hits = positive[place]! * times;
    tiedPositives += hits;
    tiedNegatives += times - hits;
    if (endsTie[place]) {
      area += tiedNegatives * (2 * positives + tiedPositives);
      positives += tiedPositives;
      negatives += tiedNegatives;
      tiedPositives = 0;
      tiedNegatives = 0;
    }
  }
  return positives * negatives === 0 ? null : area / (2 * positives * negatives);
}

/**
 * Average precision: the sum over thresholds of precision times gained recall, not interpolated (scikit-learn's
 * `average_precision_score`); null without positives.
 */
export function averagePrecision({ patients, positive, endsTie }: Ranking, draws: Float64Array): number | null {
  let [sum, positives, cases, tiedPositives] = [0, 0, 0, 0];
  for (let place = 0; place < patients.length; place++) {
    const times = draws[patients[place]!]!;
    cases += times;
    tiedPositives += positive[place]! * times;
    if (endsTie[place]) {
      positives += tiedPositives;
      // Before the first case that is drawn, both are 0.
      sum += (tiedPositives * positives) / (cases || 1);
      tiedPositives = 0;
    }
  }
  return positives === 0 ? null : sum / positives;
}

/**
 * A metric of rankings: of two classes, that of the second class; of more, the mean over the classes for which it exists,
 * each against the rest.
 */
export function rankingMetric(
  results: readonly ClassifiedCases[],
  area: (ranking: Ranking, draws: Float64Array) => number | null,
  reason: (positive: string) => string,
  sumsOf?: (rankings: readonly Ranking[], patients: number, mean: MeanArea) => PatientSums,
): PatientMetric {
  const { classNames } = results[0]!;
  const labels = classNames.length === 2 ? [1] : [...classNames.keys()];
  const rankings = labels.map((label) => rankCases(results, label));
  const patients = results.reduce((sum, { patients }) => sum + patients.length, 0);
  const mean: MeanArea = (areas) => meanOfExisting(areas, reason(classNames.at(-1)!));
  const ofDraws = (draws: Float64Array) => mean(rankings.map((ranking) => area(ranking, draws)));
  return sumsOf ? Object.assign(ofDraws, { sums: () => sumsOf(rankings, patients, mean) }) : ofDraws;
}

/** Of the areas of a metric's classes. */
export type MeanArea = (areas: readonly (number | null)[]) => MetricValue;
