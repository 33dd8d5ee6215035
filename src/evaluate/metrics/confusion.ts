import { type MetricValue, meanOfExisting, quotient } from './metric.js';

/*
 * Metrics of a confusion matrix: `[classes, classes]`, flat; cases of true class t that were predicted as class p are
 * counted at t * classes + p.
 */

const noCases = 'there are no cases';

/** @throws RangeError unless each row has one integer label in 0 to classes - 1 */
export function checkLabels(labels: Int32Array, count: number, classes: number, what: string): void {
  if (!(Number.isInteger(classes) && classes > 0))
    throw new RangeError(`classes must be a positive integer; got ${classes}`);
  if (labels.length !== count) throw new RangeError(`${what}: ${labels.length} labels for ${count} rows`);
  const broken = labels.findIndex((label) => label < 0 || label >= classes);
  if (broken >= 0) {
    throw new RangeError(
      `${what}: row ${broken} has the label ${labels[broken]}, which is not in 0 to ${classes - 1}` +
        ' (-1 marks an unknown class: exclude such rows)',
    );
  }
}

/** @throws RangeError unless there are two classes or more, each with a name of its own */
export function checkClassNames(classNames: readonly string[]): void {
  if (classNames.length < 2) {
    throw new RangeError(`at least two classes are needed; got ${classNames.length} (${classNames.join()})`);
  }
  for (const [place, name] of classNames.entries()) {
    if (name === '') throw new RangeError(`class ${place} has no name`);
    if (classNames.indexOf(name) !== place) throw new RangeError(`two classes are named "${name}"`);
  }
}

/**
 * Confusion matrix, `[classes, classes]`, flat.
 *
 * @throws RangeError if a label or prediction is not in 0 to classes - 1
 */
export function confusionMatrix(predictions: Int32Array, labels: Int32Array, classes: number): Float64Array {
  checkLabels(labels, predictions.length, classes, 'labels');
  checkLabels(predictions, labels.length, classes, 'predictions');
  const counts = new Float64Array(classes * classes);
  labels.forEach((label, row) => {
    counts[label * classes + predictions[row]!]!++;
  });
  return counts;
}

/** Counts of a class in a confusion matrix. */
export interface ClassCounts {
  /** Cases of the class. */
  actual: number;
  /** Cases that were predicted as the class. */
  predicted: number;
  /** Cases of the class that were predicted as it. */
  correct: number;
}

export function classCounts(matrix: Float64Array): ClassCounts[] {
  const classes = Math.sqrt(matrix.length);
  return Array.from({ length: classes }, (_, label) => {
    let [actual, predicted] = [0, 0];
    for (let other = 0; other < classes; other++) {
      actual += matrix[label * classes + other]!;
      predicted += matrix[other * classes + label]!;
    }
    return { actual, predicted, correct: matrix[label * classes + label]! };
  });
}

/** Harmonic mean of precision and recall, also called Dice; null for a class that is neither actual nor predicted. */
export function f1({ actual, predicted, correct }: ClassCounts): number | null {
  return actual + predicted === 0 ? null : (2 * correct) / (actual + predicted);
}

/** Null for a class without cases. */
export function recall({ actual, correct }: ClassCounts): number | null {
  return actual === 0 ? null : correct / actual;
}

export function accuracy(matrix: Float64Array): MetricValue {
  const counts = classCounts(matrix);
  return quotient(sumOver(counts, 'correct'), sumOver(counts, 'actual'), noCases);
}

/** Mean recall over the classes that have cases, as scikit-learn's `balanced_accuracy_score`. */
export function balancedAccuracy(matrix: Float64Array): MetricValue {
  return meanOfExisting(classCounts(matrix).map(recall), noCases);
}

/**
 * Mean F1 over the classes that are actual or predicted, as scikit-learn's `f1_score`: a class that is only predicted
 * counts as 0, one that is neither is left out.
 */
export function macroF1(matrix: Float64Array): MetricValue {
  return meanOfExisting(classCounts(matrix).map(f1), noCases);
}

/** Mean F1 over the classes, weighted by their numbers of cases. */
export function weightedF1(matrix: Float64Array): MetricValue {
  const counts = classCounts(matrix);
  const sum = counts.reduce((held, of) => held + of.actual * (f1(of) ?? 0), 0);
  return quotient(sum, sumOver(counts, 'actual'), noCases);
}

/**
 * Cohen's kappa with quadratic weights (Cohen, "Weighted kappa", 1968): agreement of ordered classes beyond chance.
 * Classes are 0, 1, 2 ... apart, whether or not all of them occur (scikit-learn's `cohen_kappa_score` with all classes as
 * `labels`). It does not exist where labels and predictions are all one class.
 */
export function quadraticKappa(matrix: Float64Array): MetricValue {
  const counts = classCounts(matrix);
  const cases = sumOver(counts, 'actual');
  if (cases === 0) return { value: null, reason: noCases };
  let [observed, expected] = [0, 0];
  counts.forEach(({ actual }, label) => {
    counts.forEach(({ predicted }, other) => {
      const weight = (label - other) ** 2;
      observed += weight * matrix[label * counts.length + other]!;
      expected += (weight * actual * predicted) / cases;
    });
  });
  return expected === 0
    ? { value: null, reason: 'labels and predictions are all one class, so chance agrees too' }
    : { value: 1 - observed / expected };
}

/** Sum over classes. */
export function sumOver(counts: readonly ClassCounts[], of: keyof ClassCounts): number {
  return counts.reduce((sum, count) => sum + count[of], 0);
}
