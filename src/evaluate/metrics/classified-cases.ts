import { checkClassNames, checkLabels } from './confusion.js';
import { groupRows, type PatientResults, type Unit } from './metric.js';

/** Class probabilities that a model gave to cases, checked, with the cases' true classes and patients. */
export interface ClassifiedCases extends PatientResults {
  /** `[cases, classes]`; rows sum to 1. */
  probabilities: Float32Array;
  /** `[cases]`, each 0 to classes - 1. */
  labels: Int32Array;
  /** `[cases]`, place in `patients`. */
  patientOf: Int32Array;
}

/** Tolerance for the sum of a row of probabilities; softmax in half precision stays within. */
const sumTolerance = 1e-3;

/**
 * Checks a model's predictions, for `classificationMetrics`.
 *
 * @param options.probabilities `[cases, classes]`, each row a softmax output
 * @param options.labels `[cases]`, each 0 to classes - 1
 * @param options.patients `[cases]`, names
 * @param options.unit what `patients` are
 * @throws RangeError on shapes that do not fit, labels out of range, and rows that are no probabilities
 */
export function classifiedCases(options: {
  probabilities: Float32Array;
  labels: Int32Array;
  patients: readonly string[];
  unit?: Unit;
  classNames: readonly string[];
}): ClassifiedCases {
  const { probabilities, labels, patients, unit = 'patients', classNames } = options;
  const [count, classes] = [labels.length, classNames.length];
  checkClassNames(classNames);
  if (count === 0) throw new RangeError('metrics of no cases');
  if (probabilities.length !== count * classes) {
    throw new RangeError(
      `${probabilities.length} probabilities are not [cases, classes] for ${count} labels and ${classes} classes`,
    );
  }
  if (patients.length !== count) throw new RangeError(`${patients.length} patients' names for ${count} cases`);
  checkLabels(labels, count, classes, 'labels');
  for (let row = 0; row < count; row++) {
    let sum = 0;
    for (let at = row * classes; at < (row + 1) * classes; at++) {
      const probability = probabilities[at]!;
      if (!(probability >= 0 && probability <= 1)) {
        throw new RangeError(
          `case ${row} (patient "${patients[row]}"): the probability of "${classNames[at - row * classes]}" is` +
            ` ${probability}, which is not in 0 to 1 (give softmax outputs, not logits)`,
        );
      }
      sum += probability;
    }
    if (Math.abs(sum - 1) > sumTolerance) {
      throw new RangeError(
        `case ${row} (patient "${patients[row]}"): the probabilities sum to ${sum}, not to 1` +
          ' (give softmax outputs, not a sigmoid for each class)',
      );
    }
  }
  const { names, groupOf, counts } = groupRows(patients);
  return { probabilities, labels, classNames, unit, patients: names, patientOf: groupOf, casesOf: counts };
}

/** The most probable class of each case, `[cases]`; of equally probable ones, the lowest. */
export function predictedClasses({
  probabilities,
  labels,
  classNames: { length: classes },
}: ClassifiedCases): Int32Array {
  return Int32Array.from(labels, (_, row) => {
    let best = 0;
    for (let label = 1; label < classes; label++) {
      if (probabilities[row * classes + label]! > probabilities[row * classes + best]!) best = label;
    }
    return best;
  });
}

/** Sums over the cases of each patient; `add` adds what a case contributes. */
export function sumsOfCases(
  { patients, patientOf }: ClassifiedCases,
  width: number,
  add: (sums: Float64Array, row: number) => void,
): Float64Array[] {
  const sums = patients.map(() => new Float64Array(width));
  patientOf.forEach((patient, row) => {
    add(sums[patient]!, row);
  });
  return sums;
}
