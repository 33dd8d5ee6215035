import { disposeTensors, type Tensors } from '../engine/index.js';

/** The batches of a training; the next one is created during the current step. */
export interface Prefetcher {
  /** Starts creating the batch of a step. */
  begin(step: number): void;
  /** The batch of a step, prefetched or created now; the caller disposes of it. */
  take(step: number): Promise<Tensors>;
  /** Disposes of an unused batch. */
  dispose(): Promise<void>;
}

/** @param make must depend on the step's number only */
export function prefetch(make: (step: number) => Tensors | Promise<Tensors>): Prefetcher {
  let begun: { step: number; batch: Promise<Tensors> } | undefined;
  const discard = async () => {
    const unwanted = begun?.batch;
    begun = undefined;
    // Only the consumer of the batch reports its failure.
    const batch = await unwanted?.catch(() => undefined);
    if (batch) disposeTensors(batch);
  };
  return {
    begin(step) {
      const batch = Promise.resolve().then(() => make(step));
      batch.catch(() => {});
      begun = { step, batch };
    },
    async take(step) {
      if (begun?.step !== step) {
        await discard();
        return make(step);
      }
      const { batch } = begun;
      begun = undefined;
      return batch;
    },
    dispose: discard,
  };
}
