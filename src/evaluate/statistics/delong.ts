import type { ClassifiedCases } from '../metrics/classified-cases.js';
import { normalCdf } from './distributions.js';
import { checkIndependent } from './independent-cases.js';

export interface DeLongResult {
  /** AUROC of the first arm minus that of the second. */
  value: number;
  /** Standard error of the difference. */
  standardError: number;
  /** Two-sided p-value. */
  p: number;
}

/**
 * DeLong's test of the difference between two AUROCs on the same independent cases, one a patient (DeLong et al.,
 * "Comparing the areas under two or more correlated receiver operating characteristic curves", 1988).
 *
 * @param label the positive class, against the rest
 * @throws RangeError if a patient has several cases, the arms have different cases, or there are fewer than two cases of
 *   the class or of others; and if the areas differ without variance, as where both rank nearly without error
 *
 * @example
 * // On a fine-tuning page whose data have one patch of each patient: class 1 against the rest.
 * const { SimCLR, random } = firstResults(fineTuned);
 * delongTest(SimCLR!, random!, 1);
 */
export function delongTest(first: ClassifiedCases, second: ClassifiedCases, label: number): DeLongResult {
  const patientsOf = ({ patients, patientOf }: ClassifiedCases) => Array.from(patientOf, (place) => patients[place]!);
  const patients = patientsOf(first);
  checkIndependent(patients, "DeLong's test");
  const others = patientsOf(second);
  const differs = patients.findIndex(
    (patient, row) => patient !== others[row] || first.labels[row] !== second.labels[row],
  );
  if (differs >= 0 || others.length !== patients.length) {
    throw new RangeError(
      `DeLong's test needs the same cases in the same order; they differ at ${differs >= 0 ? `case ${differs}` : 'the end'}`,
    );
  }
  const [one, other] = [componentsOf(first, label), componentsOf(second, label)];
  const value = one.area - other.area;
  const variance = (['positive', 'negative'] as const).reduce((sum, side) => {
    const differences = one[side].map((component, row) => component - other[side][row]!);
    const mean = differences.reduce((held, difference) => held + difference, 0) / differences.length;
    const squares = differences.reduce((held, difference) => held + (difference - mean) ** 2, 0);
    return sum + squares / ((differences.length - 1) * differences.length);
  }, 0);
  const standardError = Math.sqrt(variance);
  if (standardError === 0 && value !== 0) {
    throw new RangeError(
      `the areas differ by ${value}, but equally in all cases, so the difference's variance is unknown`,
    );
  }
  const p = standardError === 0 ? 1 : 2 * normalCdf(-Math.abs(value / standardError));
  return { value, standardError, p };
}

/** For each case of the class: the fraction of the other cases that it ranks above, ties counting half; the reverse. */
function componentsOf({ probabilities, labels, classNames }: ClassifiedCases, label: number) {
  const scores = (positive: boolean) =>
    [...labels.keys()]
      .filter((row) => (labels[row] === label) === positive)
      .map((row) => probabilities[row * classNames.length + label]!);
  const [positives, negatives] = [scores(true), scores(false)];
  if (positives.length < 2 || negatives.length < 2) {
    throw new RangeError(
      `DeLong's test needs two cases of "${classNames[label]}" and two of other classes at least;` +
        ` got ${positives.length} and ${negatives.length}`,
    );
  }
  const [sortedPositives, sortedNegatives] = [Float32Array.from(positives).sort(), Float32Array.from(negatives).sort()];
  const positive = positives.map((score) => below(sortedNegatives, score) / negatives.length);
  const negative = negatives.map((score) => 1 - below(sortedPositives, score) / positives.length);
  return { positive, negative, area: positive.reduce((sum, part) => sum + part, 0) / positives.length };
}

/** How many of the sorted scores are below one, ties counting half. */
function below(sorted: Float32Array, score: number): number {
  const firstWhere = (test: (value: number) => boolean) => {
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (test(sorted[middle]!)) high = middle;
      else low = middle + 1;
    }
    return low;
  };
  return (firstWhere((value) => value >= score) + firstWhere((value) => value > score)) / 2;
}
