import { type Tensor, tf } from '../runtime.js';

/**
 * Rows of unit length, `[rows, columns]`: x / max(|x|, epsilon), as PyTorch's `functional.normalize`.
 */
export function l2Normalize(x: Tensor, epsilon = 1e-12): Tensor {
  const squared = x.square().sum(-1, true);
  return x.mul(tf.rsqrt(tf.maximum(squared, epsilon * epsilon)));
}
