import { type ColorStatistics, decodeJpegs, imagesOfDecoded, meanOfPixels } from '../../augment/index.js';
import { compile, type Tensor, tf, uploadStrings } from '../../engine/index.js';
import { throwIfInterrupted } from '../../runs/index.js';
import { batchesInOrder } from './batch-loader.js';
import type { ShardDataset } from './shard-dataset.js';

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
  const { size } = dataset;
  const moments = compile(function colorMoments(encoded: Tensor) {
    const images = imagesOfDecoded(decodeJpegs(encoded, { height: size, width: size }));
    const mean = meanOfPixels(images);
    // About the image's own mean: of squares of what lies near 1, float32 would keep too few digits.
    return tf.stack([mean, meanOfPixels(images.sub(mean).square())]);
  });
  const total = options.patches?.length ?? dataset.count;
  const batchSize = Math.min(options.batchSize ?? 64, total);
  if (total === 0) throw new RangeError('color statistics need at least one patch');
  const sums = { mean: new Float64Array(3), square: new Float64Array(3) };
  let done = 0;
  try {
    for await (const { images } of batchesInOrder(dataset, {
      batchSize,
      patches: options.patches,
    })) {
      throwIfInterrupted(options.signal, 'measuring colors');
      // The last batch is filled up: one recording serves all.
      const filled = Array.from({ length: batchSize }, (_, row) => images[row] ?? images[0]!);
      const encoded = uploadStrings(filled);
      const batch = await moments(encoded).finally(() => encoded.dispose());
      const values = await batch.data();
      batch.dispose();
      for (let at = 0; at < 3 * images.length; at++) {
        sums.mean[at % 3]! += values[at]!;
        sums.square[at % 3]! += values[at]! ** 2 + values[3 * batchSize + at]!;
      }
      done += images.length;
      options.onProgress?.(done, total);
    }
  } finally {
    moments.dispose();
  }
  const channels = [0, 1, 2] as const;
  const mean = channels.map((channel) => sums.mean[channel]! / total);
  const std = channels.map((channel) => Math.sqrt(Math.max(0, sums.square[channel]! / total - mean[channel]! ** 2)));
  return { mean: mean as [number, number, number], std: std as [number, number, number] };
}
