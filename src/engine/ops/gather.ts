import { attribute, runOp, type Tensor, tf, withGradient } from '../runtime.js';

/**
 * Rows by their numbers, with the gradient that tfjs's own op lacks for rows chosen sample by sample.
 *
 * @param x `[rows, ...]`; with `perSample` `[batch, rows, ...]`
 * @param indices int32 `[count]`; with `perSample` `[batch, count]`, each sample's own
 * @returns `[count, ...]`; with `perSample` `[batch, count, ...]`
 * @throws Error on the CPU for a row that is not there; GPUs give zeros for it
 */
export function gather(x: Tensor, indices: Tensor, { perSample = false } = {}): Tensor {
  const batchDims = perSample ? 1 : 0;
  if (indices.dtype !== 'int32' || indices.rank !== batchDims + 1 || x.rank < indices.rank) {
    throw new RangeError(
      `gather${perSample ? ' per sample' : ''} takes int32 indices of rank ${batchDims + 1} into a tensor of at least ` +
        `that rank; got ${indices.dtype}[${indices.shape}] into [${x.shape}]`,
    );
  }
  const attributes = [
    attribute.typeOf('Tparams', x),
    attribute.type('Tindices', 'int32'),
    attribute.type('Taxis', 'int32'),
    attribute.int('batch_dims', batchDims),
  ];
  const { shape } = x;
  return withGradient([x], (save) => {
    save([indices]);
    return {
      value: runOp('GatherV2', attributes, [x, indices, tf.scalar(batchDims, 'int32')]),
      gradient: (dy, [indices]) => [() => scatter(dy, indices!, shape, perSample)],
    };
  });
}

/** Adds each row of dy to the row that it came from. */
function scatter(dy: Tensor, indices: Tensor, shape: readonly number[], perSample: boolean): Tensor {
  const [batch, rows, rest] = perSample ? [shape[0]!, shape[1]!, shape.slice(2)] : [1, shape[0]!, shape.slice(1)];
  const first = tf.range(0, batch, 1, 'int32').mul(tf.scalar(rows, 'int32')).reshape([batch, 1]);
  const flat = indices.reshape([batch, -1]).add(first).reshape([-1]);
  const attributes = [
    attribute.typeOf('T', dy),
    attribute.type('Tindices', 'int32'),
    attribute.type('Tnumsegments', 'int32'),
  ];
  const sums = runOp('UnsortedSegmentSum', attributes, [
    dy.reshape([flat.size, ...rest]),
    flat,
    tf.scalar(batch * rows, 'int32'),
  ]);
  return sums.reshape([...shape]);
}
