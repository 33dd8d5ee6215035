import { type Tensor, tf } from '../runtime.js';
import { conv2d } from './conv2d.js';
import { padImages } from './convolution-attributes.js';

/**
 * A convolution whose kernel's places are `dilation` px apart, at stride 1 (Yu and Koltun, 2016; arXiv 1511.07122). The
 * images are taken apart into those of every so many px, which an ordinary convolution can be run on; or, where those would
 * mostly be padding, each place of the kernel is a matrix product over the part of the images that it reaches.
 *
 * @param padding zeros on each of the four sides, px
 * @returns `[batch, height + 2 padding - dilation * (kernel - 1), …, out]`
 */
export function dilatedConv2d(
  x: Tensor,
  weight: Tensor,
  { dilation, padding = 0 }: { dilation: number; padding?: number },
): Tensor {
  if (!(Number.isInteger(dilation) && dilation > 0)) {
    throw new RangeError(`dilatedConv2d: a dilation must be a positive whole number of px; got ${dilation}`);
  }
  const [, height, width, channels] = x.shape as [number, number, number, number];
  if (channels !== weight.shape[2]) {
    throw new RangeError(
      `dilatedConv2d: x is [${x.shape}], but the weight [${weight.shape}] takes ${weight.shape[2]} channels`,
    );
  }
  const [rows, columns] = [height, width].map((size) => Math.ceil((size + 2 * padding) / dilation)) as [number, number];
  const isMostlyPadding = rows * columns * dilation ** 2 > 2 * height * width;
  return isMostlyPadding
    ? placeByPlace(x, weight, dilation, padding)
    : takenApart(x, weight, dilation, padding, [rows, columns]);
}

function takenApart(
  x: Tensor,
  weight: Tensor,
  dilation: number,
  padding: number,
  [rows, columns]: [number, number],
): Tensor {
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  const padded = padImages(x, [
    [padding, rows * dilation - height - padding],
    [padding, columns * dilation - width - padding],
  ]);
  const apart = padded
    .reshape([batch, rows, dilation, columns, dilation, channels])
    .transpose([2, 4, 0, 1, 3, 5])
    .reshape([dilation * dilation * batch, rows, columns, channels]);
  const y = conv2d(apart, weight);
  const [, newRows, newColumns, out] = y.shape as [number, number, number, number];
  const together = y
    .reshape([dilation, dilation, batch, newRows, newColumns, out])
    .transpose([2, 3, 0, 4, 1, 5])
    .reshape([batch, newRows * dilation, newColumns * dilation, out]);
  return together.slice([0, 0, 0, 0], outputShape(x, weight, dilation, padding));
}

function placeByPlace(x: Tensor, weight: Tensor, dilation: number, padding: number): Tensor {
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  const [kernelHeight, kernelWidth] = weight.shape as [number, number];
  const shape = outputShape(x, weight, dilation, padding);
  const [, newHeight, newWidth, out] = shape;
  const matrices = tf.unstack(weight.reshape([kernelHeight * kernelWidth, channels, out]));
  const parts = matrices.flatMap((matrix, place) => {
    const rows = reachOf(Math.floor(place / kernelWidth) * dilation - padding, height, newHeight);
    const columns = reachOf((place % kernelWidth) * dilation - padding, width, newWidth);
    if (!(rows.length > 0 && columns.length > 0)) return [];
    const seen = x.slice([0, rows.start, columns.start, 0], [batch, rows.length, columns.length, channels]);
    const made = tf.matMul(seen.reshape([-1, channels]), matrix).reshape([batch, rows.length, columns.length, out]);
    return [padImages(made, [rows.around, columns.around])];
  });
  return parts.length > 0 ? tf.addN(parts) : tf.zeros(shape);
}

/**
 * What a place of the kernel sees along one axis.
 *
 * @param shift from an output's px to the input's that it sees
 * @returns which px of the input, and how many of the output before and after theirs see padding only
 */
function reachOf(shift: number, input: number, output: number) {
  const first = Math.max(0, -shift);
  const end = Math.min(output, input - shift);
  return { start: first + shift, length: end - first, around: [first, output - end] as const };
}

function outputShape(x: Tensor, weight: Tensor, dilation: number, padding: number): [number, number, number, number] {
  const [batch, height, width] = x.shape as [number, number, number];
  const [kernelHeight, kernelWidth, , out] = weight.shape as [number, number, number, number];
  const length = (size: number, kernel: number) => size + 2 * padding - dilation * (kernel - 1);
  return [batch, length(height, kernelHeight), length(width, kernelWidth), out];
}
