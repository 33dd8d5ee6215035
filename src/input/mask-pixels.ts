import type { ShardDataset } from '../datasets/index.js';
import { compile, type Tensors } from '../engine/index.js';
import { BatchSource } from './batch-source.js';
import { batchesOnce } from './read-images.js';

/**
 * How many pixels each class has in the masks of a dataset, in one pass that also checks them.
 *
 * @param options.patches rows of the index, by default all: give those of the training split
 * @param options.ignore value of pixels that do not count, outside the classes
 * @returns one count for each of the dataset's `classNames`; 0 where a class has no pixel
 * @throws RangeError if a patch has no mask, or a mask holds a value that is no class; it names the patch
 */
export async function countMaskPixels(
  dataset: ShardDataset,
  options: { patches?: ArrayLike<number>; ignore?: number; signal?: AbortSignal } = {},
): Promise<Float64Array> {
  const { classNames, folder, slides } = dataset;
  const batchSize = Math.min(16, options.patches?.length ?? dataset.count);
  const source = new BatchSource(dataset, { patches: options.patches, batchSize, masks: true, memory: 0 });
  const decode = compile(function decodeMasks(loaded: Tensors) {
    return source.decode(loaded).masks!;
  });
  const counts = new Float64Array(classNames.length);
  try {
    for await (const { loaded, first, count } of batchesOnce(source, options.signal)) {
      const masks = await decode(loaded);
      const values = await masks.data();
      masks.dispose();
      const pixels = source.size ** 2;
      for (let at = 0; at < count * pixels; at++) {
        const value = values[at]!;
        if (value < counts.length) {
          counts[value]!++;
          continue;
        }
        if (value === options.ignore) continue;
        const patch = source.rows[first + Math.floor(at / pixels)]!;
        const [row, column] = [Math.floor((at % pixels) / source.size), at % source.size];
        throw new RangeError(
          `the mask of patch ${patch} of ${folder} (${slides.names[slides.codes[patch]!]}) has the value ${value} at row ` +
            `${row}, column ${column}, which is none of its ${counts.length} classes ` +
            `(${classNames.map((name, number) => `${number} ${name}`).join(', ')}); compile it again with a definition ` +
            'that maps it',
        );
      }
    }
  } finally {
    decode.dispose();
  }
  return counts;
}
