import { attribute, runOp, type Tensor, tf } from '../engine/index.js';
import { checkFeatures, type Features } from './features.js';
import { checkLabels } from './metrics/confusion.js';

/** L2 regularization, for features of variance 1: suits a few hundred patches and as many features. */
const penalty = 0.1;

/**
 * Accuracy of a linear classifier on frozen features: ridge regression onto one-hot classes in closed form, cheap
 * enough to monitor training. Features are standardized by the training rows first, as in MAE's linear probe (arXiv
 * 2111.06377, appendix A.1).
 *
 * @param trainLabels `[train rows]`, each 0 to classes - 1
 * @returns accuracy on the test rows
 * @throws RangeError on shapes that do not fit and labels out of range
 */
export async function linearProbe(
  train: Features,
  trainLabels: Int32Array,
  test: Features,
  testLabels: Int32Array,
  { classes }: { classes: number },
): Promise<number> {
  for (const features of [train, test]) checkFeatures(features, 'a linear probe');
  if (train.width !== test.width) throw new RangeError(`features have widths ${train.width} and ${test.width}`);
  checkLabels(trainLabels, train.count, classes, 'train labels');
  checkLabels(testLabels, test.count, classes, 'test labels');
  const predicted = tf.tidy(() => {
    const known = tf.tensor2d(train.values, [train.count, train.width]);
    const { mean, variance } = tf.moments(known, 0);
    const standardize = (rows: Tensor) => rows.sub(mean).div(variance.add(1e-6).sqrt()) as Tensor;
    const x = standardize(known);
    const y = tf.oneHot(tf.tensor1d(trainLabels, 'int32'), classes).toFloat();
    const prior = y.mean(0);
    const covariance = tf.matMul(x, x, true).div(train.count).add(tf.eye(train.width).mul(penalty)) as Tensor;
    const weights = solve(covariance, tf.matMul(x, y.sub(prior), true).div(train.count));
    const scores = tf.matMul(standardize(tf.tensor2d(test.values, [test.count, test.width])), weights).add(prior);
    return scores.argMax(1).toInt() as Tensor;
  });
  try {
    const predictions = await predicted.data();
    return testLabels.filter((label, row) => label === predictions[row]).length / test.count;
  } finally {
    predicted.dispose();
  }
}

/** Solves a x = b. */
function solve(a: Tensor, b: Tensor): Tensor {
  return runOp('MatrixSolve', [attribute.typeOf('T', a), attribute.bool('adjoint', false)], [a, b]);
}
