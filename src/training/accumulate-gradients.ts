import {
  attribute,
  executeOp,
  gradients,
  isByteTensor,
  mapTensors,
  subTensors,
  type Tensor,
  type Tensors,
  tf,
  withControlDependencies,
  withPrefix,
  zipTensors,
} from '../engine/index.js';
import type { ModelTensors } from '../models/index.js';
import type { LossOfBatch } from './objective.js';

/**
 * Loss, gradients, new state and rows of a batch. A batch that is too large is split into `microBatches` along the
 * first dimension; they run in sequence, each from the state of the one before, and results are averaged. The
 * activations of one are freed before the next begins. For a loss that is a mean over images, and a network without
 * batch norm, the result is that of the whole batch. Every micro-batch adds its ops to the step: use few.
 *
 * @param batch tensors of one length, strings and bytes among them
 * @param options.lossScale see `gradients`
 * @param compute loss of one micro-batch; `microBatch` counts from 0
 * @throws RangeError if the batch does not divide into micro-batches of one size
 */
export function accumulateGradients(
  { parameters, state }: ModelTensors,
  batch: Tensors,
  { microBatches = 1, lossScale }: { microBatches?: number; lossScale?: Tensor },
  compute: (model: ModelTensors, batch: Tensors, microBatch: number) => LossOfBatch,
): { loss: Tensor; gradients: Tensors; state: Tensors; metrics: Tensors; rows: Tensors } {
  const cut = cutBatch(batch, microBatches);
  let current = state;
  let sums: { scalars: Tensors; gradients: Tensors } | undefined;
  const rows: Tensors[] = [];
  cut.forEach((own, microBatch) => {
    // Otherwise TensorFlow would run all micro-batches in parallel, with the activations of all in memory.
    const ready = sums ? withControlDependencies(own, [...Object.values(sums.gradients), sums.scalars.loss!]) : own;
    const result = gradients(
      parameters,
      (parameters) => {
        const { loss, state, metrics = {}, rows = {} } = compute({ parameters, state: current }, ready, microBatch);
        const extra = [withPrefix(state, 'state/'), withPrefix(metrics, 'metrics/'), withPrefix(rows, 'rows/')];
        return { loss, extra: Object.assign({}, ...extra) as Tensors };
      },
      { lossScale },
    );
    current = subTensors(result.extra, 'state/');
    rows.push(subTensors(result.extra, 'rows/'));
    const scalars = { loss: result.loss, ...subTensors(result.extra, 'metrics/') };
    const add = (sum: Tensor, value: Tensor) => sum.add(value) as Tensor;
    sums = sums
      ? {
          scalars: zipTensors(sums.scalars, scalars, add),
          gradients: zipTensors(sums.gradients, result.gradients, add),
        }
      : { scalars, gradients: result.gradients };
  });
  const mean = (tensors: Tensors) =>
    cut.length === 1
      ? tensors
      : Object.fromEntries(Object.entries(tensors).map(([name, sum]) => [name, sum.div(cut.length) as Tensor]));
  const { loss, ...metrics } = mean(sums!.scalars);
  return {
    ...{ loss: loss!, metrics, gradients: mean(sums!.gradients), state: current },
    rows: mapTensors(rows[0]!, (only, name) => (rows.length === 1 ? only : tf.concat(rows.map((own) => own[name]!)))),
  };
}

function cutBatch(batch: Tensors, parts: number): Tensors[] {
  if (parts === 1) return [batch];
  const lengths = Object.values(batch).map(({ shape }) => shape[0]!);
  const uneven = lengths.some((length) => length !== lengths[0] || length % parts !== 0);
  if (!(Number.isInteger(parts) && parts > 0) || lengths.length === 0 || uneven) {
    throw new RangeError(`a batch of [${lengths}] cannot be split into ${parts} equal micro-batches`);
  }
  const pieces = Object.entries(batch).map(([name, tensor]) => [name, splitRows(tensor, parts)] as const);
  return Array.from({ length: parts }, (_, part) =>
    Object.fromEntries(pieces.map(([name, own]) => [name, own[part]!])),
  );
}

/** `tf.split` along the first dimension, for every dtype: tfjs knows neither bytes nor strings there. */
function splitRows(tensor: Tensor, parts: number): Tensor[] {
  const type = isByteTensor(tensor) ? attribute.type('T', 'uint8') : attribute.typeOf('T', tensor);
  return executeOp('Split', [attribute.int('num_split', parts), type], [tf.scalar(0, 'int32'), tensor], parts);
}
