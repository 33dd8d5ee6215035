import { attribute, runOp, type Tensor, tf } from '../engine/index.js';
import { checkFeatures, type Features } from './features.js';
import { checkLabels } from './metrics/confusion.js';
import { columnStatistics, standardized } from './standardize.js';

/** L2 regularization, for features of variance 1: suits a few hundred patches and as many features. */
const penalty = 0.1;

/**
 * A linear classifier on frozen features: ridge regression onto one-hot classes in closed form, cheap enough to monitor
 * training. Features are standardized by the training rows first (see `columnStatistics`).
 *
 * @param trainLabels `[train rows]`, each 0 to classes - 1
 * @returns its accuracy on the test rows, and whether each of them is right
 * @throws RangeError on shapes that do not fit and labels out of range
 */
export async function linearProbe(
  train: Features,
  trainLabels: Int32Array,
  test: Features,
  testLabels: Int32Array,
  { classes }: { classes: number },
): Promise<{ accuracy: number; correct: boolean[] }> {
  for (const features of [train, test]) checkFeatures(features, 'a linear probe');
  checkLabels(trainLabels, train.count, classes, 'train labels');
  checkLabels(testLabels, test.count, classes, 'test labels');
  const statistics = columnStatistics(train);
  const predicted = tf.tidy(() => {
    const rowsOf = (features: Features) =>
      tf.tensor2d(standardized(features, statistics).values, [features.count, features.width]) as Tensor;
    const x = rowsOf(train);
    const y = tf.oneHot(tf.tensor1d(trainLabels, 'int32'), classes).toFloat();
    const prior = y.mean(0);
    const covariance = tf.matMul(x, x, true).div(train.count).add(tf.eye(train.width).mul(penalty)) as Tensor;
    const weights = solve(covariance, tf.matMul(x, y.sub(prior), true).div(train.count));
    const scores = tf.matMul(rowsOf(test), weights).add(prior);
    return scores.argMax(1).toInt() as Tensor;
  });
  try {
    const predictions = await predicted.data();
    const correct = Array.from(testLabels, (label, row) => label === predictions[row]);
    return { accuracy: correct.filter(Boolean).length / test.count, correct };
  } finally {
    predicted.dispose();
  }
}

/** Solves a x = b. */
function solve(a: Tensor, b: Tensor): Tensor {
  return runOp('MatrixSolve', [attribute.typeOf('T', a), attribute.bool('adjoint', false)], [a, b]);
}
