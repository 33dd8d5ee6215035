import { tf } from '../engine/index.js';
import { checkFeatures, type Features, unitRows } from './features.js';
import { checkLabels } from './metrics/confusion.js';
import { centered, columnStatistics } from './standardize.js';

/**
 * Nearest class mean on frozen features: SimpleShot (Wang et al., 2019; arXiv 1911.04623, CL2N). The mean of the training rows
 * is subtracted from all rows, which are then made of unit length; a test row takes the class whose mean is closest.
 *
 * @param trainLabels `[train rows]`, each 0 to classes - 1; a class without a row is never predicted
 * @returns class of each test row
 */
export function nearestPrototype(
  train: Features,
  trainLabels: Int32Array,
  test: Features,
  { classes }: { classes: number },
): Int32Array {
  for (const features of [train, test]) checkFeatures(features, 'prototypes');
  checkLabels(trainLabels, train.count, classes, 'train labels');
  const statistics = columnStatistics(train);
  return tf.tidy(() => {
    const known = unitRows(centered(train, statistics));
    const asked = unitRows(centered(test, statistics));
    const members = tf.oneHot(tf.tensor1d(trainLabels, 'int32'), classes).toFloat();
    const counts = members.sum(0);
    const prototypes = tf.matMul(members, known, true).div(counts.maximum(1).expandDims(1));
    // Squared distances, less the test row's own square; at most 3, so that a class without a row is the farthest.
    const distances = prototypes
      .square()
      .sum(1)
      .sub(tf.matMul(asked, prototypes, false, true).mul(2));
    return distances.add(counts.equal(0).toFloat().mul(8)).argMin(1).toInt().dataSync<'int32'>();
  });
}
