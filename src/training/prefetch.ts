import { disposeTensors, type Tensors } from '../engine/index.js';

/** The batches of a training, of which the next is made while the step before it runs. */
export interface Prefetcher {
  /** Starts to make the batch of a step. */
  begin(step: number): void;
  /** The batch of a step, the caller's to dispose of: the one that was begun, or one made now. */
  take(step: number): Promise<Tensors>;
  /** Disposes of a batch that nobody took. */
  dispose(): Promise<void>;
}

/** @param make must depend on the step's number alone */
export function prefetch(make: (step: number) => Tensors | Promise<Tensors>): Prefetcher {
  let begun: { step: number; batch: Promise<Tensors> } | undefined;
  const discard = async () => {
    const unwanted = begun?.batch;
    begun = undefined;
    // Why it failed matters only to who would have taken it.
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
