import { type Tensor, tf } from '../runtime.js';

/**
 * Bilinear interpolation to another size, as PyTorch's `interpolate(mode='bilinear', align_corners=False)`: pixel
 * centers lie at half px, and nothing is smoothed when the size shrinks.
 *
 * It is two matrix products: linear in each direction, in every dtype, and with a gradient that sums in the same order
 * on GPUs, where TensorFlow's own op adds atomically.
 *
 * @param x `[batch, height, width, channels]`
 * @returns `[batch, size[0], size[1], channels]`
 */
export function resizeBilinear(x: Tensor, size: readonly [height: number, width: number]): Tensor {
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  const [newHeight, newWidth] = size;
  if (x.rank !== 4 || !size.every((pixels) => Number.isInteger(pixels) && pixels > 0)) {
    throw new RangeError(
      `resizeBilinear takes [batch, height, width, channels] to whole px; got [${x.shape}] to ${size}`,
    );
  }
  const rows = tf.matMul(interpolation(height, newHeight), x.reshape([batch, height, width * channels]));
  const columns = tf.matMul(interpolation(width, newWidth), rows.reshape([batch * newHeight, width, channels]));
  return columns.reshape([batch, newHeight, newWidth, channels]);
}

/** `[1, to, from]`: the share of each old px in each new one. */
function interpolation(from: number, to: number): Tensor {
  const weights = new Float32Array(to * from);
  for (let pixel = 0; pixel < to; pixel++) {
    const place = Math.max(((pixel + 0.5) * from) / to - 0.5, 0);
    const low = Math.min(Math.floor(place), from - 1);
    const high = Math.min(low + 1, from - 1);
    weights[pixel * from + low]! += 1 - (place - low);
    weights[pixel * from + high]! += place - low;
  }
  return tf.tensor3d(weights, [1, to, from]);
}
