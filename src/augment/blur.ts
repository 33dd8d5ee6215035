import { attribute, hasCustomOps, runOp, type Tensor, tf } from '../engine/index.js';
import { alongColumns, alongRows } from './resample.js';

/**
 * Gaussian blur, mirrored at the border without repeating the border pixel, as torchvision's `gaussian_blur`.
 *
 * @param images float32 `[batch, height, width, channels]`
 * @param sigma `[batch]`, px; 0 leaves an image as it is
 * @param kernelSize odd number of taps along each axis
 * @returns of the same shape
 */
export function gaussianBlur(images: Tensor, sigma: Tensor, kernelSize: number): Tensor {
  if (!hasCustomOps()) return composedGaussianBlur(images, sigma, kernelSize);
  return runOp('PathlabGaussianBlur', [attribute.int('kernel_size', kernelSize)], [images, sigma]);
}

/** The same from TensorFlow's own ops: two products with matrices that are mostly zeros. */
export function composedGaussianBlur(images: Tensor, sigma: Tensor, kernelSize: number): Tensor {
  const [, height, width] = images.shape as [number, number, number];
  return tf.tidy(() => {
    const columns = alongColumns(blurMatrix(sigma, width, kernelSize), tf.transpose(images, [0, 3, 1, 2]));
    return alongRows(blurMatrix(sigma, height, kernelSize), tf.transpose(columns, [0, 2, 3, 1]));
  });
}

/**
 * The blur along one axis.
 *
 * @param sigma `[batch]`, px; 0 leaves the image as it is
 * @param size px of the axis
 * @param kernelSize odd number of taps, at most 2 size - 1
 * @returns `[batch, size, size]`, rows sum to 1
 */
function blurMatrix(sigma: Tensor, size: number, kernelSize: number): Tensor {
  const reach = (kernelSize - 1) / 2;
  const output = tf.range(0, size).reshape([size, 1]);
  const input = tf.range(0, size).reshape([1, size]);
  // Below a hundredth of a pixel the neighbors' weights are 0 in float32: the identity, exactly.
  const width = sigma.maximum(0.01).reshape([-1, 1, 1]);
  const tap = (offset: Tensor, exists: Tensor) => {
    const reached = offset.abs().lessEqual(reach).logicalAnd(exists).cast('float32');
    return tf.exp(offset.div(width).square().mul(-0.5)).mul(reached);
  };
  const direct = tap(input.sub(output), input.greaterEqual(0));
  const mirroredAtStart = tap(input.add(output), input.greater(0));
  const mirroredAtEnd = tap(tf.sub(2 * (size - 1), input.add(output)), input.less(size - 1));
  const weights = direct.add(mirroredAtStart).add(mirroredAtEnd);
  return weights.div(weights.sum(2, true));
}
