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
  return resize(x, size, bilinear, 'resizeBilinear');
}

/**
 * Bicubic interpolation (Keys, 1981, with a = -.5) to another size, as PyTorch's `interpolate(mode='bicubic',
 * antialias=True)` and Pillow's: where the size shrinks, the kernel widens, so that what is too fine is smoothed away; at
 * the edges it is cut off. Two matrix products, as `resizeBilinear`.
 *
 * @param x `[batch, height, width, channels]`
 * @returns `[batch, size[0], size[1], channels]`
 */
export function resizeBicubic(x: Tensor, size: readonly [height: number, width: number]): Tensor {
  return resize(x, size, bicubic, 'resizeBicubic');
}

/** Writes the share of each old px in one new px into its row, which holds zeros. */
type Interpolation = (row: Float64Array, pixel: number, to: number) => void;

function resize(x: Tensor, size: readonly [number, number], interpolation: Interpolation, name: string): Tensor {
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  const [newHeight, newWidth] = size;
  if (x.rank !== 4 || !size.every((pixels) => Number.isInteger(pixels) && pixels > 0)) {
    throw new RangeError(`${name} takes [batch, height, width, channels] to whole px; got [${x.shape}] to ${size}`);
  }
  const shares = (from: number, to: number) => sharesOf(interpolation, from, to);
  const rows = tf.matMul(shares(height, newHeight), x.reshape([batch, height, width * channels]));
  const columns = tf.matMul(shares(width, newWidth), rows.reshape([batch * newHeight, width, channels]));
  return columns.reshape([batch, newHeight, newWidth, channels]);
}

/** `[1, to, from]`: the share of each old px in each new one. */
function sharesOf(interpolation: Interpolation, from: number, to: number): Tensor {
  const shares = new Float64Array(to * from);
  for (let pixel = 0; pixel < to; pixel++) {
    interpolation(shares.subarray(pixel * from, (pixel + 1) * from), pixel, to);
  }
  return tf.tensor3d(Float32Array.from(shares), [1, to, from]);
}

function bilinear(row: Float64Array, pixel: number, to: number): void {
  const place = Math.max(((pixel + 0.5) * row.length) / to - 0.5, 0);
  const low = Math.min(Math.floor(place), row.length - 1);
  const high = Math.min(low + 1, row.length - 1);
  row[low]! += 1 - (place - low);
  row[high]! += place - low;
}

function bicubic(row: Float64Array, pixel: number, to: number): void {
  const step = row.length / to;
  const widening = Math.max(step, 1);
  const center = (pixel + 0.5) * step;
  for (let at = 0; at < row.length; at++) row[at] = cubic((at + 0.5 - center) / widening);
  const sum = row.reduce((one, other) => one + other);
  for (let at = 0; at < row.length; at++) row[at]! /= sum;
}

function cubic(distance: number): number {
  const x = Math.abs(distance);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}
