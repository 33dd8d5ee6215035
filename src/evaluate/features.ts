import { imagesFromBytes } from '../augment/index.js';
import { l2Normalize, type Tensor, tf } from '../engine/index.js';
import { InterruptedError } from '../runs/index.js';

/** Feature vectors of patches, row by row. */
export interface Features {
  /** `[count, width]`, row-major. */
  values: Float32Array;
  count: number;
  /** Length of one vector. */
  width: number;
}

/** Square RGB patches in memory, as datasets/ holds them. */
export interface Patches {
  /** `[count, size, size, 3]`, bytes. */
  images: Uint8Array;
  count: number;
  /** Side, px. */
  size: number;
}

export interface ExtractOptions {
  batchSize?: number;
  /** Called after each batch with the number of patches done. */
  onProgress?: (done: number, count: number) => void;
  signal?: AbortSignal;
}

/**
 * Runs a frozen backbone over patches. It gives the event loop a turn after each batch, so that a notebook stays
 * responsive.
 *
 * @param applyBackbone from images `[batch, size, size, 3]` in 0..1 to features `[batch, width]`. It runs in inference
 *   mode (running statistics, no dropout) and normalizes the images itself; the last batch may be smaller
 * @throws InterruptedError if the signal aborts; RangeError if the bytes or the features do not have the stated shape
 */
export async function extractFeatures(
  patches: Patches,
  applyBackbone: (images: Tensor) => Tensor,
  { batchSize = 64, onProgress, signal }: ExtractOptions = {},
): Promise<Features> {
  const { images, count, size } = patches;
  const bytesEach = size * size * 3;
  if (count < 1 || images.length !== count * bytesEach) {
    throw new RangeError(`${images.length} bytes are not ${count} patches of ${size} x ${size} px in RGB`);
  }
  let values: Float32Array | undefined;
  let width = 0;
  for (let start = 0; start < count; start += batchSize) {
    if (signal?.aborted)
      throw new InterruptedError(`feature extraction was interrupted at ${start} of ${count} patches`);
    const batch = Math.min(batchSize, count - start);
    const bytes = images.subarray(start * bytesEach, (start + batch) * bytesEach);
    const features = tf.tidy(() => applyBackbone(imagesFromBytes(bytes, [batch, size, size, 3])));
    try {
      if (features.rank !== 2 || features.shape[0] !== batch || (values && features.shape[1] !== width)) {
        throw new RangeError(
          `the backbone made [${features.shape}] of ${batch} images; it should be [${batch}, width]`,
        );
      }
      width = features.shape[1]!;
      values ??= new Float32Array(count * width);
      values.set(await features.data<'float32'>(), start * width);
    } finally {
      features.dispose();
    }
    onProgress?.(start + batch, count);
    await new Promise(setImmediate);
  }
  return { values: values!, count, width };
}

/** @throws RangeError if the values are not `[count, width]` or hold a number that is not finite */
export function checkFeatures({ values, count, width }: Features, what: string): void {
  if (count < 1 || width < 1 || values.length !== count * width) {
    throw new RangeError(`${what}: ${values.length} values are not [${count}, ${width}]`);
  }
  const broken = values.findIndex((value) => !Number.isFinite(value));
  if (broken >= 0) {
    throw new RangeError(`${what}: row ${Math.floor(broken / width)} holds ${values[broken]}; did training diverge?`);
  }
}

/** Features on the device with rows of unit length, `[count, width]`; the caller disposes of it. */
export function unitRows({ values, count, width }: Features): Tensor {
  return tf.tidy(() => l2Normalize(tf.tensor2d(values, [count, width])));
}
