import { attribute, runOp, type Tensor, tf, withGradient } from '../runtime.js';

/**
 * Every `strides[i]`-th element of each dimension from `begin[i]` up to before `end[i]`, as NumPy's `begin:end:stride`
 * with what lies outside cut off. tfjs's own op has no gradient.
 *
 * @param begin, end, strides one number for each dimension; begin and end count from the end where they are negative
 */
export function stridedSlice(
  x: Tensor,
  begin: readonly number[],
  end: readonly number[],
  strides: readonly number[],
): Tensor {
  if (![begin, end, strides].every((numbers) => numbers.length === x.rank) || strides.some((stride) => stride < 1)) {
    throw new RangeError(
      `stridedSlice takes a begin, an end and a stride of at least 1 for each dimension of [${x.shape}]; ` +
        `got [${begin}], [${end}], [${strides}]`,
    );
  }
  const attributes = [
    attribute.typeOf('T', x),
    attribute.type('Index', 'int32'),
    ...['begin_mask', 'end_mask', 'ellipsis_mask', 'new_axis_mask', 'shrink_axis_mask'].map((mask) =>
      attribute.int(mask, 0),
    ),
  ];
  const places = () => [begin, end, strides].map((numbers) => tf.tensor1d([...numbers], 'int32'));
  const { shape } = x;
  return withGradient([x], () => ({
    value: runOp('StridedSlice', attributes, [x, ...places()]),
    gradient: (dy) => [() => runOp('StridedSliceGrad', attributes, [tf.tensor1d(shape, 'int32'), ...places(), dy])],
  }));
}
