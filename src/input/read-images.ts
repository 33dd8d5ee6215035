import { integersOf } from '../augment/index.js';
import { throwIfInterrupted } from '../base/index.js';
import { disposeTensors, type Tensors, tf } from '../engine/index.js';
import type { BatchSource } from './batch-source.js';

/**
 * The batches in which a source that is not shuffled gives each patch once, in its order.
 *
 * @yields what `load` gave, which is disposed of afterwards, and how many of its rows count: the last batch is filled up
 * @throws RangeError if the source is shuffled; InterruptedError if `signal` aborts
 */
export async function* batchesOnce(
  source: BatchSource,
  signal?: AbortSignal,
): AsyncGenerator<{ loaded: Tensors; first: number; count: number }> {
  if (source.shuffled) {
    throw new RangeError('reading each patch once needs a source that is not shuffled: create it without a key');
  }
  for (let step = 0, first = 0; first < source.count; step++, first += source.batchSize) {
    throwIfInterrupted(signal, `reading patches, at ${first} of ${source.count},`);
    const loaded = await source.load(step);
    try {
      yield { loaded, first, count: Math.min(source.batchSize, source.count - first) };
    } finally {
      disposeTensors(loaded);
    }
  }
}

/**
 * The images of a source on the host, in the order and with the errors of `batchesOnce`.
 *
 * @yields RGB bytes, `[count, size, size, 3]`
 */
export async function* readImages(source: BatchSource, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  for await (const { loaded, count } of batchesOnce(source, signal)) {
    const images = tf.tidy(() => integersOf(source.decode(loaded).images));
    try {
      yield Uint8Array.from((await images.data()).subarray(0, count * source.size ** 2 * 3));
    } finally {
      images.dispose();
    }
  }
}
