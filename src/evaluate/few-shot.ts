import type { Key } from '../base/index.js';
import { type Features, featureRows } from './features.js';
import { balancedAccuracy, checkLabels, confusionMatrix } from './metrics/confusion.js';

/** Class of each test row, learned from some training rows. */
export type FewShotClassifier = (
  train: Features,
  trainLabels: Int32Array,
  test: Features,
) => Int32Array | Promise<Int32Array>;

/** What few labels a class give: the predictions of each draw. */
export interface FewShotResult {
  /** Labels a class. */
  shots: number;
  predictions: Int32Array[];
}

/**
 * Few-shot classification of frozen features: classifiers learn from `shots` rows of each class, drawn anew `draws` times.
 * Draws of one key are nested: more shots add to the rows of fewer.
 *
 * @throws RangeError that names a class with fewer rows than shots
 */
export async function fewShot(
  train: Features,
  trainLabels: Int32Array,
  test: Features,
  options: {
    classNames: readonly string[];
    shots: readonly number[];
    draws: number;
    key: Key;
    classify: FewShotClassifier;
  },
): Promise<FewShotResult[]> {
  const { classNames, shots, draws, key, classify } = options;
  checkLabels(trainLabels, train.count, classNames.length, 'train labels');
  const rowsOf = classNames.map((_, label) =>
    Int32Array.from(trainLabels.keys()).filter((row) => trainLabels[row] === label),
  );
  const most = Math.max(...shots);
  const short = rowsOf.findIndex((rows) => rows.length < most);
  if (short >= 0) {
    throw new RangeError(
      `${most} labels of each class are asked for, and the class ${classNames[short]} has ${rowsOf[short]!.length} patches`,
    );
  }
  const results: FewShotResult[] = shots.map((count) => ({ shots: count, predictions: [] }));
  for (let draw = 0; draw < draws; draw++) {
    const drawn = rowsOf.map((rows, label) => key.fold(draw).fold(label).generator().shuffle(rows.slice()));
    for (const result of results) {
      const rows = drawn.flatMap((all) => Array.from(all.subarray(0, result.shots)));
      const labels = Int32Array.from(rows, (row) => trainLabels[row]!);
      result.predictions.push(await classify(featureRows(train, rows), labels, test));
    }
  }
  return results;
}

/** Balanced accuracy of each draw, as learning curves show it. */
export function fewShotAccuracies(
  results: readonly FewShotResult[],
  testLabels: Int32Array,
  classes: number,
): { shots: number; values: number[] }[] {
  return results.map(({ shots, predictions }) => ({
    shots,
    // There are cases, so there is a value.
    values: predictions.map((of) => balancedAccuracy(confusionMatrix(of, testLabels, classes)).value!),
  }));
}
