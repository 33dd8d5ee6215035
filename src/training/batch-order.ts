import type { Key } from '../runs/index.js';

/** Which items make up the batch of each step, counted from 0 over the whole training. */
export interface BatchOrder {
  stepsPerEpoch: number;
  /** `batchSize` item numbers. */
  items(step: number): Int32Array;
}

/**
 * A new order of all items in every epoch; what does not fill a batch is left out of that epoch. The order of an epoch
 * comes from the key and the epoch's number alone, so that a resumed run sees the batches that would have come.
 */
export function batchOrder({ count, batchSize, key }: { count: number; batchSize: number; key: Key }): BatchOrder {
  const stepsPerEpoch = Math.floor(count / batchSize);
  if (!(Number.isInteger(batchSize) && batchSize > 0 && stepsPerEpoch > 0)) {
    throw new RangeError(`${count} items do not fill one batch of ${batchSize}; take a smaller batch or more data`);
  }
  let current = { epoch: -1, order: new Int32Array(0) };
  return {
    stepsPerEpoch,
    items(step) {
      const epoch = Math.floor(step / stepsPerEpoch);
      if (epoch !== current.epoch) {
        const order = Int32Array.from({ length: count }, (_, item) => item);
        current = { epoch, order: key.fold('epoch').fold(epoch).generator().shuffle(order) };
      }
      const first = (step % stepsPerEpoch) * batchSize;
      return current.order.slice(first, first + batchSize);
    },
  };
}
