import { type Tensor, tf } from '../../engine/index.js';
import { clip } from '../color.js';

/** Linear sRGB to CIE XYZ over the white point D65, row by row X, Y, Z. */
const toXyz = [
  [0.412453 / 0.95047, 0.35758 / 0.95047, 0.180423 / 0.95047],
  [0.212671, 0.71516, 0.072169],
  [0.019334 / 1.08883, 0.119193 / 1.08883, 0.950227 / 1.08883],
];

/** Images of 0..1 in sRGB as CIE L*a*b* over D65: L 0..100, the same shape. */
export function labOfRgb(images: Tensor): Tensor {
  return tf.tidy(() => {
    const linear = tf.where(
      images.greater(0.04045),
      images.add(0.055).div(1.055).maximum(0).pow(2.4),
      images.div(12.92),
    );
    const xyz = tf.matMul(linear.reshape([-1, 3]), tf.tensor2d(toXyz), false, true);
    const bent = tf.where(xyz.greater(0.008856), xyz.maximum(0).pow(1 / 3), xyz.mul(7.787).add(16 / 116));
    const [x, y, z] = tf.unstack(bent, 1) as [Tensor, Tensor, Tensor];
    return tf.stack([y.mul(116).sub(16), x.sub(y).mul(500), y.sub(z).mul(200)], 1).reshape(images.shape);
  });
}

/** The other way; what sRGB cannot show is clipped to 0..1. */
export function rgbOfLab(lab: Tensor): Tensor {
  return tf.tidy(() => {
    const [lightness, a, b] = tf.unstack(lab.reshape([-1, 3]), 1) as [Tensor, Tensor, Tensor];
    const y = lightness.add(16).div(116);
    const bent = tf.stack([a.div(500).add(y), y, y.sub(b.div(200))], 1);
    const xyz = tf.where(bent.greater(0.2068966), bent.pow(3), bent.sub(16 / 116).div(7.787));
    const linear = tf.matMul(xyz, tf.tensor2d(inverse(toXyz)), false, true);
    const rgb = tf.where(
      linear.greater(0.0031308),
      linear
        .maximum(0)
        .pow(1 / 2.4)
        .mul(1.055)
        .sub(0.055),
      linear.mul(12.92),
    );
    return clip(rgb).reshape(lab.shape);
  });
}

/** Of a matrix of 3 by 3, by cofactors. */
export function inverse(matrix: readonly (readonly number[])[]): number[][] {
  const [a, b, c] = matrix as [number[], number[], number[]];
  const cross = (u: readonly number[], v: readonly number[]) => [
    u[1]! * v[2]! - u[2]! * v[1]!,
    u[2]! * v[0]! - u[0]! * v[2]!,
    u[0]! * v[1]! - u[1]! * v[0]!,
  ];
  const columns = [cross(b, c), cross(c, a), cross(a, b)];
  const determinant = a.reduce((sum, value, place) => sum + value * columns[0]![place]!, 0);
  return [0, 1, 2].map((row) => columns.map((column) => column[row]! / determinant));
}
