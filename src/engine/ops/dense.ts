import { type Tensor, tf } from '../runtime.js';

/**
 * Fully connected layer.
 *
 * @param x `[batch, in]`
 * @param weight `[out, in]`, as PyTorch's Linear keeps it
 * @param bias `[out]`; none where batch norm follows
 */
export function dense(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const y = tf.matMul(x, weight, false, true);
  return bias ? y.add(bias) : y;
}
