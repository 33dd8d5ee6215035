import { type Tensor, tf } from '../engine/index.js';
import { checkFeatures, type Features, unitRows } from './features.js';

/*
 * Two properties of features on the sphere (Wang and Isola, 2020; arXiv 2005.10242): views of one image lie close to each
 * other, and images lie everywhere. With collapsed features, alignment and uniformity are both 0.
 */

/** Mean squared distance between the directions of two views of an image, 0 to 4; row i of both is of image i. */
export function alignment(first: Features, second: Features): number {
  checkFeatures(first, 'alignment');
  checkFeatures(second, 'alignment');
  if (first.count !== second.count || first.width !== second.width) {
    throw new RangeError(
      `alignment: [${first.count}, ${first.width}] and [${second.count}, ${second.width}] are not views of the same images`,
    );
  }
  return tf.tidy(() => unitRows(first).sub(unitRows(second)).square().sum(1).mean().dataSync()[0]!);
}

/**
 * Logarithm of the mean Gaussian potential exp(-2 |x - y|^2) between the directions of different images: 0 if all are one,
 * about -4 if they are spread evenly over a sphere of many dimensions. Features that are all 0 have no direction, and count as one;
 * of a single image there is no pair, and the result is NaN.
 */
export function uniformity(features: Features): number {
  checkFeatures(features, 'uniformity');
  const { count } = features;
  if (count < 2) return Number.NaN;
  return tf.tidy(() => {
    const rows = unitRows(features);
    // 1, or 0 of a row of zeros.
    const lengths = rows.square().sum(1, true);
    const squares = lengths.add(lengths.transpose()).sub(tf.matMul(rows, rows, false, true).mul(2)) as Tensor;
    const potentials = tf.exp(squares.mul(-2)).mul(tf.sub(1, tf.eye(count)));
    return potentials
      .sum()
      .div(count * (count - 1))
      .log()
      .dataSync()[0]!;
  });
}
