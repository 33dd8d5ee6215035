import { gradients, inOrder, type Tensor, type Tensors, tf, zipTensors } from '../engine/index.js';

/** What a part of a batch gives. */
export interface PartOfBatch {
  /** Mean over the part. */
  loss: Tensor;
  /** What the next part goes on from: running statistics. */
  carried: Tensors;
  /** Scalars whose mean over the parts is wanted. */
  metrics?: Tensors;
}

/**
 * Loss and gradients of a batch that is too large to be taken at once: the batch is cut into `parts` along its first
 * dimension, one part after the other runs, and their means are taken. A part's activations are freed before the next
 * one begins. Every part adds its ops to the step, so take few large ones. For a loss that is a mean over items, and a
 * network without batch norm, it is what the whole batch gives.
 *
 * @param batch tensors of one length
 * @param carried handed to the first part
 * @param compute loss of one part; `part` counts from 0, for what is random
 * @throws RangeError if the parts are not of one size
 */
export function accumulatedGradients(
  parameters: Tensors,
  batch: Tensors,
  { parts, carried = {} }: { parts: number; carried?: Tensors },
  compute: (parameters: Tensors, batch: Tensors, carried: Tensors, part: number) => PartOfBatch,
): { loss: Tensor; gradients: Tensors; carried: Tensors; metrics: Tensors } {
  const lengths = Object.values(batch).map(({ shape }) => shape[0]!);
  const uneven = lengths.find((length) => length !== lengths[0] || length % parts !== 0);
  if (!(Number.isInteger(parts) && parts > 0) || lengths.length === 0 || uneven !== undefined) {
    throw new RangeError(`a batch of [${lengths}] cannot be taken in ${parts} parts of one size`);
  }
  return tf.tidy(() => {
    const cut = Object.entries(batch).map(([name, tensor]) => [name, tf.split(tensor, parts)] as const);
    let sums: { loss: Tensor; gradients: Tensors; metrics: Tensors } | undefined;
    let state = carried;
    for (let part = 0; part < parts; part++) {
      const own = Object.fromEntries(cut.map(([name, pieces]) => [name, pieces[part]!]));
      // Without it TensorFlow would run all parts at once, and hold the activations of all.
      const ready = sums ? inOrder(own, [...Object.values(sums.gradients), sums.loss]) : own;
      let names: string[] = [];
      const result = gradients(parameters, (parameters) => {
        const { loss, carried, metrics = {} } = compute(parameters, ready, state, part);
        names = Object.keys(metrics);
        const both = Object.keys(carried).find((name) => name in metrics);
        if (both !== undefined) throw new Error(`"${both}" is both carried on and a metric; give one another name`);
        return { loss, extra: { ...carried, ...metrics } };
      });
      const isMetric = (name: string) => names.includes(name);
      const pick = (wanted: (name: string) => boolean) =>
        Object.fromEntries(Object.entries(result.extra).filter(([name]) => wanted(name)));
      state = pick((name) => !isMetric(name));
      const now = { loss: result.loss, gradients: result.gradients, metrics: pick(isMetric) };
      sums = sums
        ? {
            loss: sums.loss.add(now.loss),
            gradients: zipTensors(sums.gradients, now.gradients, (sum, gradient) => sum.add(gradient)),
            metrics: zipTensors(sums.metrics, now.metrics, (sum, metric) => sum.add(metric)),
          }
        : now;
    }
    const mean = (tensors: Tensors) =>
      Object.fromEntries(Object.entries(tensors).map(([name, sum]) => [name, sum.div(parts) as Tensor]));
    return {
      loss: sums!.loss.div(parts) as Tensor,
      gradients: mean(sums!.gradients),
      metrics: mean(sums!.metrics),
      carried: state,
    };
  });
}
