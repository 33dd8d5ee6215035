import sharp from 'sharp';
import type { Output } from '../display.js';
import { figureBundle } from '../figure.js';
import { formatValue } from '../table.js';
import type { TensorLike } from './recognize-tensor.js';

/** Larger tensors are not read from the device to describe them. */
const maxValues = 2 ** 24;
const maxPrinted = 64;
const maxImages = 8;
const cellSide = 112; // px

/** A tensor: dtype, shape, range, its values if there are few, and a small image if its shape allows. */
export async function tensorOutput(tensor: TensorLike): Promise<Output> {
  const name = `Tensor ${tensor.dtype}[${tensor.shape.join(', ')}]`;
  const inText = (words: string): Output => [{ 'text/plain': words }, {}];
  if (tensor.isDisposed) return inText(`${name}, disposed`);
  if (tensor.size === 0) return inText(`${name}, empty`);
  if (tensor.size > maxValues) return inText(`${name}, ${tensor.size.toLocaleString('en')} values (too many to read)`);
  const values = await tensor.data();
  const printed = () => `\n${printValues(values, tensor.shape)}`;
  if (tensor.dtype === 'string' || tensor.dtype === 'complex64') {
    return inText(name + (values.length <= maxPrinted ? printed() : ''));
  }
  const numbers = values as ArrayLike<number>;
  const range = rangeOf(numbers);
  const words = `${name}, ${describeRange(range, numbers.length)}`;
  const layout = imageLayout(tensor.shape);
  if (!layout || range.finite === 0)
    return inText(words + (tensor.size > 1 && tensor.size <= maxPrinted ? printed() : ''));
  return drawn(numbers, layout, range, words);
}

interface Range {
  min: number;
  max: number;
  mean: number;
  finite: number;
}

function rangeOf(values: ArrayLike<number>): Range {
  let [min, max, sum, finite] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0];
  for (let at = 0; at < values.length; at++) {
    const value = values[at]!;
    if (!Number.isFinite(value)) continue;
    if (value < min) min = value;
    if (value > max) max = value;
    sum += value;
    finite++;
  }
  return { min, max, mean: sum / finite, finite };
}

function describeRange({ min, max, mean, finite }: Range, count: number): string {
  const odd = count - finite;
  const oddWords = odd > 0 ? `, ${odd.toLocaleString('en')} of ${count.toLocaleString('en')} not finite` : '';
  if (finite === 0) return `no finite value${oddWords}`;
  if (count === 1) return `${formatValue(min)}`;
  return `${formatValue(min)} to ${formatValue(max)}, mean ${formatValue(mean)}${oddWords}`;
}

/** Values in nested brackets. */
function printValues(values: ArrayLike<unknown>, shape: readonly number[], indent = ''): string {
  if (shape.length === 0) return formatValue(values[0]);
  if (shape.length === 1) return `[${Array.from(values, formatValue).join(', ')}]`;
  const [count, ...rest] = shape as [number, ...number[]];
  const each = values.length / count;
  const parts = Array.from({ length: count }, (_, at) =>
    printValues(
      Array.from({ length: each }, (_each, inner) => values[at * each + inner]),
      rest,
      `${indent} `,
    ),
  );
  return `[${parts.join(`,\n${indent} `)}]`;
}

interface Layout {
  count: number;
  height: number;
  width: number;
  channels: 1 | 3 | 4;
}

/**
 * A shape interpreted as images: `[height, width]`, `[height, width, channels]` or `[batch, height, width, channels]`.
 */
function imageLayout(shape: readonly number[]): Layout | undefined {
  const [count, height, width, channels] =
    shape.length === 2 ? [1, ...shape, 1] : shape.length === 3 ? [1, ...shape] : shape;
  if (shape.length < 2 || shape.length > 4) return undefined;
  if (channels !== 1 && channels !== 3 && channels !== 4) return undefined;
  if (Math.min(height!, width!) < 8 || Math.max(height!, width!) > 8192) return undefined;
  return { count: count!, height: height!, width: width!, channels };
}

/** Values as bytes: ranges 0 to 1 and 0 to 255 are kept, others are stretched. */
function toneOf({ min, max }: Range): { tone: (value: number) => number; note: string } {
  if (min >= 0 && max <= 1) return { tone: (value) => value * 255, note: '' };
  if (min >= 0 && max <= 255) return { tone: (value) => value, note: '' };
  const scale = 255 / (max - min || 1);
  return { tone: (value) => (value - min) * scale, note: '; black is the minimum and white the maximum' };
}

/** The first images side by side, scaled by nearest neighbor. */
async function drawn(values: ArrayLike<number>, layout: Layout, range: Range, words: string): Promise<Output> {
  const { height, width, channels } = layout;
  const count = Math.min(layout.count, maxImages);
  const side = count === 1 ? 2 * cellSide : cellSide;
  const scale = side / Math.max(height, width);
  const [cellHeight, cellWidth] = [Math.max(1, Math.round(height * scale)), Math.max(1, Math.round(width * scale))];
  const gap = 4;
  const total = count * (cellWidth + gap) - gap;
  const { tone, note } = toneOf(range);
  const pixels = new Uint8ClampedArray(cellHeight * total * channels).fill(255);
  for (let image = 0; image < count; image++) {
    for (let y = 0; y < cellHeight; y++) {
      const row = (image * height + Math.min(height - 1, Math.floor(y / scale))) * width;
      for (let x = 0; x < cellWidth; x++) {
        const from = (row + Math.min(width - 1, Math.floor(x / scale))) * channels;
        const to = (y * total + image * (cellWidth + gap) + x) * channels;
        for (let channel = 0; channel < channels; channel++) pixels[to + channel] = tone(values[from + channel]!);
      }
    }
  }
  const png = await sharp(pixels, { raw: { width: total, height: cellHeight, channels } })
    .png()
    .toBuffer();
  const which = count < layout.count ? `; the first ${count}` : '';
  const alt = words + which + note;
  const [bundle, metadata] = figureBundle({ png, width: total, height: cellHeight }, alt);
  const image = `<img alt="" width="${total}" height="${cellHeight}" src="data:image/png;base64,${bundle['image/png']}">`;
  return [{ ...bundle, 'text/html': `<div>${alt}</div>${image}` }, metadata];
}
