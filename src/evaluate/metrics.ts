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

/** Fraction of predictions that equal their labels. */
export function topOneAccuracy(predictions: Int32Array, labels: Int32Array): number {
  if (predictions.length !== labels.length || labels.length === 0) {
    throw new RangeError(`accuracy of ${predictions.length} predictions against ${labels.length} labels`);
  }
  return predictions.reduce((right, prediction, row) => right + Number(prediction === labels[row]), 0) / labels.length;
}

/**
 * Counts of `[true class][predicted class]`.
 *
 * @throws RangeError if a label or prediction is not in 0 to classes - 1
 */
export function confusionMatrix(predictions: Int32Array, labels: Int32Array, classes: number): number[][] {
  checkLabels(labels, predictions.length, classes, 'labels');
  checkLabels(predictions, labels.length, classes, 'predictions');
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  labels.forEach((label, row) => {
    counts[label]![predictions[row]!]!++;
  });
  return counts;
}

/**
 * Mean recall over the classes. Classes without a row in `labels` are excluded, as in scikit-learn's
 * `balanced_accuracy_score`.
 */
export function balancedAccuracy(predictions: Int32Array, labels: Int32Array, classes: number): number {
  const recalls = confusionMatrix(predictions, labels, classes).flatMap((row, label) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    return total === 0 ? [] : [row[label]! / total];
  });
  if (recalls.length === 0) throw new RangeError('balanced accuracy of no rows');
  return recalls.reduce((sum, recall) => sum + recall, 0) / recalls.length;
}
