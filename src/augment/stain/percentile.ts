import { attribute, executeOp, runOp, type Tensor, tf } from '../../engine/index.js';

/**
 * Percentiles of the first `counts` of each row in order, linear between neighbours, as NumPy's `percentile`.
 *
 * @param values `[batch, n]`; those that do not count are above all that do, and finite
 * @param counts `[batch]`, float32: how many count, 1 or more
 * @param percents 0 to 100
 * @returns one `[batch]` each
 */
export function percentiles(values: Tensor, counts: Tensor, percents: readonly number[]): Tensor[] {
  const attributes = [attribute.bool('sorted', true), attribute.type('T', 'float32')];
  const [descending] = executeOp('TopKV2', attributes, [values.neg(), tf.scalar(values.shape[1]!, 'int32')], 2);
  // tfjs reads the places on the host, which a compiled step cannot.
  const gatherAttributes = [
    attribute.int('batch_dims', 1),
    attribute.type('Tparams', 'float32'),
    attribute.type('Tindices', 'int32'),
    attribute.type('Taxis', 'int32'),
  ];
  const at = (place: Tensor) => {
    const places = place.cast('int32').expandDims(1);
    return runOp('GatherV2', gatherAttributes, [descending!, places, tf.scalar(1, 'int32')])
      .neg()
      .squeeze([1]);
  };
  return percents.map((percent) => {
    const place = counts.sub(1).mul(percent / 100);
    const below = place.floor();
    const low = at(below);
    return low.add(at(place.ceil()).sub(low).mul(place.sub(below)));
  });
}
