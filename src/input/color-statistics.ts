import { type ColorStatistics, imagesOfDecoded, meanOfPixels } from '../augment/index.js';
import type { ShardDataset } from '../datasets/index.js';
import { compile, type Tensors, tf } from '../engine/index.js';
import { BatchSource } from './batch-source.js';
import { batchesOnce } from './read-images.js';

/**
 * Mean and standard deviation of red, green and blue over all pixels of a dataset, of 0..1, in one pass. Each image's
 * moments are made in float32, their sums over images in float64.
 *
 * @param options.patches rows of the index, by default all: give those of the training split
 */
export async function colorStatistics(
  dataset: ShardDataset,
  options: {
    patches?: ArrayLike<number>;
    batchSize?: number;
    onProgress?: (done: number, total: number) => void;
    signal?: AbortSignal;
  } = {},
): Promise<ColorStatistics> {
  const total = options.patches?.length ?? dataset.count;
  if (total === 0) throw new RangeError('color statistics need at least one patch');
  const { patches, batchSize = Math.min(64, total) } = options;
  // One pass: nothing is gained by holding what was decoded.
  const source = new BatchSource(dataset, { patches, batchSize, memory: 0 });
  const moments = compile(function colorMoments(loaded: Tensors) {
    const images = imagesOfDecoded(source.decode(loaded).images);
    const mean = meanOfPixels(images);
    // About the image's own mean: of squares of what lies near 1, float32 would keep too few digits.
    return tf.stack([mean, meanOfPixels(images.sub(mean).square())]);
  });
  const sums = { mean: new Float64Array(3), square: new Float64Array(3) };
  try {
    for await (const { loaded, first, count } of batchesOnce(source, options.signal)) {
      const batch = await moments(loaded);
      const values = await batch.data();
      batch.dispose();
      for (let at = 0; at < 3 * count; at++) {
        sums.mean[at % 3]! += values[at]!;
        sums.square[at % 3]! += values[at]! ** 2 + values[3 * batchSize + at]!;
      }
      options.onProgress?.(first + count, total);
    }
  } finally {
    moments.dispose();
  }
  const channels = [0, 1, 2] as const;
  const mean = channels.map((channel) => sums.mean[channel]! / total);
  const std = channels.map((channel) => Math.sqrt(Math.max(0, sums.square[channel]! / total - mean[channel]! ** 2)));
  return { mean: mean as [number, number, number], std: std as [number, number, number] };
}
