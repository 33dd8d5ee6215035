import { attribute, executeOp, tf } from '../engine/index.js';
import { checkFeatures, type Features, unitRows } from './features.js';

/**
 * A measure of collapse of embeddings: the standard deviation of each coordinate of the l2-normalized rows, averaged
 * over the coordinates, times the square root of their number (SimSiam, Chen and He, arXiv 2011.10566, section 4.1). 0
 * if all rows point the same way, or are 0; 1 if they are spread evenly over the sphere; NaN of a single row.
 */
export function featureStd(features: Features): number {
  checkFeatures(features, 'embedding deviation');
  if (features.count < 2) return Number.NaN;
  return tf.tidy(() => {
    const { variance } = tf.moments(unitRows(features), 0);
    return variance.sqrt().mean().mul(Math.sqrt(features.width)).dataSync()[0]!;
  });
}

/**
 * RankMe (Garrido et al., arXiv 2210.02885, equation 2): a smooth rank of the features, the exponential of the entropy
 * of their singular values. From 1 (all rows along one line) to min(count, width); it is not comparable between
 * different counts of rows, and the paper takes 25,600. Features that are all 0 lie along one line too: 1.
 */
export function rankMe(features: Features): number {
  checkFeatures(features, 'RankMe');
  const singular = tf.tidy(() => {
    const matrix = tf.tensor2d(features.values, [features.count, features.width]);
    const attributes = [
      attribute.type('T', 'float32'),
      attribute.bool('compute_uv', false),
      attribute.bool('full_matrices', false),
    ];
    return executeOp('Svd', attributes, [matrix], 3)[0]!.dataSync<'float32'>();
  });
  const total = singular.reduce((sum, value) => sum + value, 0);
  if (total === 0) return 1;
  const entropy = singular.reduce((sum, value) => {
    const share = value / total + 1e-7;
    return sum - share * Math.log(share);
  }, 0);
  return Math.exp(entropy);
}
