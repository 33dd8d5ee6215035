import { type Tensor, tf } from '../runtime.js';
import { conv2d } from './conv2d.js';
import type { Conv2dOptions } from './convolution-attributes.js';

/**
 * Convolution whose weight is standardized for each output channel (Qiao et al., 2019, arXiv 1903.10520), with the
 * biased variance: the convolution of BiT, and timm's StdConv2d.
 *
 * @param x `[batch, height, width, in]`
 * @param weight `[kernel height, kernel width, in, out]`
 * @param options.epsilon 1e-8 as timm's BiT models; the paper's own code has 1e-10
 */
export function standardizedConv2d(
  x: Tensor,
  weight: Tensor,
  { epsilon = 1e-8, ...options }: Conv2dOptions & { epsilon?: number } = {},
): Tensor {
  return conv2d(x, standardizeWeight(weight, epsilon), options);
}

/** Mean 0 and variance 1 for each output channel, the last dimension. */
export function standardizeWeight(weight: Tensor, epsilon = 1e-8): Tensor {
  const { mean, variance } = tf.moments(weight, [0, 1, 2], true);
  return weight.sub(mean).mul(variance.add(epsilon).rsqrt());
}
