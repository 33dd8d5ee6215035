import { type Tensor, tf } from '../engine/index.js';

/**
 * Resizing a crop and blurring a view are linear along each axis, and differ from image to image. Both are written
 * here as one small matrix an image and axis, made on the device from the image's own parameters; applying them is
 * then a batched matrix product, which every device does well and which needs no host in a compiled step.
 */

/** How a crop is resized: by a triangle filter, or by Keys' (1981) cubic one with a = -.5. */
export type Interpolation = 'bilinear' | 'bicubic';

/**
 * Resize of a crop with antialiasing: a filter as wide as the step between output pixels, and not narrower than that
 * between input pixels, cut off at the crop's border. The same weights as Pillow's and PyTorch's (`upsample_bilinear2d_aa`,
 * `upsample_bicubic2d_aa`).
 *
 * @param crops `[batch, 3]`: start px, length px, 1 if flipped
 * @returns `[batch, output, input]`, rows sum to 1
 */
export function resizeMatrix(
  crops: Tensor,
  input: number,
  output: number,
  interpolation: Interpolation = 'bilinear',
): Tensor {
  const [start, length, flipped] = tf.split(crops, 3, 1).map((column) => column.reshape([-1, 1, 1])) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  const scale = length.div(output);
  const rows = tf.range(0, output).reshape([1, output, 1]);
  // A flip reads the rows from the other end.
  const read = rows.add(flipped.mul(tf.sub(output - 1, rows.mul(2))));
  const center = read.add(0.5).mul(scale);
  const pixel = tf.range(0, input).reshape([1, 1, input]).sub(start);
  const inside = pixel.greaterEqual(0).logicalAnd(pixel.less(length)).cast('float32');
  const distance = pixel.add(0.5).sub(center).abs().div(scale.maximum(1));
  const filter = interpolation === 'bicubic' ? cubic(distance) : tf.relu(tf.sub(1, distance));
  const weights = filter.mul(inside);
  return weights.div(weights.sum(2, true));
}

/** Keys' filter at distances of 0 and more. */
function cubic(distance: Tensor): Tensor {
  const near = distance.mul(1.5).sub(2.5).mul(distance).mul(distance).add(1);
  const far = distance.mul(-0.5).add(2.5).mul(distance).sub(4).mul(distance).add(2);
  return tf.where(distance.less(1), near, tf.where(distance.less(2), far, tf.zerosLike(far)));
}

/**
 * Applies `[batch, output, height]` to the rows of `[batch, height, width, channels]`. With a multiple of the batch
 * in matrices, the first few apply to the first image, the next few to the second, and so on.
 */
export function alongRows(matrices: Tensor, images: Tensor): Tensor {
  const [batch, height, width, channels] = images.shape as [number, number, number, number];
  const [count, output] = matrices.shape as [number, number, number];
  const stacked = matrices.reshape([batch, (count / batch) * output, height]);
  return tf
    .matMul(stacked, images.reshape([batch, height, width * channels]))
    .reshape([count, output, width, channels]);
}

/** Applies `[batch, output, width]` to the columns of `[batch, channels, height, width]`. */
export function alongColumns(matrices: Tensor, planes: Tensor): Tensor {
  const [batch, channels, height, width] = planes.shape as [number, number, number, number];
  const output = matrices.shape[1]!;
  return tf
    .matMul(planes.reshape([batch, channels * height, width]), matrices, false, true)
    .reshape([batch, channels, height, output]);
}
