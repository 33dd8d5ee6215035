import { type BatchSource, readImages } from '../input/index.js';
import type { Features } from './features.js';

/** Square RGB images on the host. */
export interface Patches {
  /** `[count, size, size, 3]`, bytes. */
  images: Uint8Array;
  count: number;
  /** Side, px. */
  size: number;
}

/** `colorHistogramFeatures` of all patches of a source, in its order. */
export async function colorHistograms(source: BatchSource, signal?: AbortSignal): Promise<Features> {
  const { size } = source;
  const batches: Features[] = [];
  for await (const images of readImages(source, signal)) {
    batches.push(colorHistogramFeatures({ images, count: images.length / (size * size * 3), size }));
  }
  const { width } = batches[0]!;
  const values = new Float32Array(source.count * width);
  let row = 0;
  for (const batch of batches) {
    values.set(batch.values, row * width);
    row += batch.count;
  }
  return { values, count: source.count, width };
}

/**
 * Color histograms: the fraction of each patch's pixels in the bins of a grid over red, green and blue, square-rooted,
 * so that the cosine of two rows is the Bhattacharyya coefficient of their histograms. A baseline: a backbone that is
 * no better has learned no structure.
 *
 * @param bins bins per channel
 * @returns `[count, bins^3]`, rows of unit length
 */
export function colorHistogramFeatures({ images, count, size }: Patches, bins = 8): Features {
  const pixels = size * size;
  if (count < 1 || images.length !== count * pixels * 3) {
    throw new RangeError(`${images.length} bytes are not ${count} patches of ${size} x ${size} px in RGB`);
  }
  const width = bins ** 3;
  const cell = Uint16Array.from({ length: 256 }, (_, value) => Math.floor((value * bins) / 256));
  const values = new Float32Array(count * width);
  for (let patch = 0; patch < count; patch++) {
    const row = values.subarray(patch * width, (patch + 1) * width);
    for (let at = patch * pixels * 3; at < (patch + 1) * pixels * 3; at += 3) {
      const index = (cell[images[at]!]! * bins + cell[images[at + 1]!]!) * bins + cell[images[at + 2]!]!;
      row[index]! += 1;
    }
    for (let index = 0; index < width; index++) row[index] = Math.sqrt(row[index]! / pixels);
  }
  return { values, count, width };
}
