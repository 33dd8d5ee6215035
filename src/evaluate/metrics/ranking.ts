import type { ClassifiedCases } from './classified-cases.js';
import { meanOfExisting, type PatientMetric } from './metric.js';

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

/**
 * Visits the thresholds from the highest to the lowest, with the numbers of true and false positives at or above each.
 *
 * @returns numbers of positives and negatives
 */
export function sweep(
  { patients, positive, endsTie }: Ranking,
  draws: ArrayLike<number>,
  visit: (truePositives: number, falsePositives: number, place: number) => void,
): { positives: number; negatives: number } {
  let [positives, negatives] = [0, 0];
  for (let place = 0; place < patients.length; place++) {
    const times = draws[patients[place]!]!;
    if (positive[place]) positives += times;
    else negatives += times;
    if (endsTie[place]) visit(positives, negatives, place);
  }
  return { positives, negatives };
}

/** Area under the ROC curve, ties counting half; null unless there are positives and negatives. */
export function areaUnderRoc(ranking: Ranking, draws: ArrayLike<number>): number | null {
  let [area, lastTrue, lastFalse] = [0, 0, 0];
  const { positives, negatives } = sweep(ranking, draws, (truePositives, falsePositives) => {
    area += (falsePositives - lastFalse) * (truePositives + lastTrue);
    lastTrue = truePositives;
    lastFalse = falsePositives;
  });
  return positives * negatives === 0 ? null : area / (2 * positives * negatives);
}

/**
 * Average precision: the sum over thresholds of precision times gained recall, not interpolated (scikit-learn's
 * `average_precision_score`); null without positives.
 */
export function averagePrecision(ranking: Ranking, draws: ArrayLike<number>): number | null {
  let [sum, lastTrue] = [0, 0];
  const { positives } = sweep(ranking, draws, (truePositives, falsePositives) => {
    if (truePositives === lastTrue) return;
    sum += ((truePositives - lastTrue) * truePositives) / (truePositives + falsePositives);
    lastTrue = truePositives;
  });
  return positives === 0 ? null : sum / positives;
}

/**
 * A metric of rankings: of two classes, that of the second class; of more, the mean over the classes for which it exists,
 * each against the rest.
 */
export function rankingMetric(
  results: readonly ClassifiedCases[],
  area: (ranking: Ranking, draws: ArrayLike<number>) => number | null,
  reason: (positive: string) => string,
): PatientMetric {
  const { classNames } = results[0]!;
  const labels = classNames.length === 2 ? [1] : [...classNames.keys()];
  const rankings = labels.map((label) => rankCases(results, label));
  return (draws) =>
    meanOfExisting(
      rankings.map((ranking) => area(ranking, draws)),
      reason(classNames.at(-1)!),
    );
}
