import { type Attribute, attribute, executeOne, type Tensor, tf, withGradient } from '../runtime.js';
import { padSides } from './convolution-attributes.js';

/**
 * Maximum over square windows.
 *
 * @param x `[batch, height, width, channels]`
 * @param options.padding px on each side that never win, as PyTorch counts them
 */
export function maxPool(
  x: Tensor,
  { size, stride, padding = 0 }: { size: number; stride: number; padding?: number },
): Tensor {
  // For padding of its own kind TensorFlow leaves oneDNN for slower kernels of its own.
  if (padding > 0) return maxPool(padSides(x, padding, Number.NEGATIVE_INFINITY), { size, stride });
  const attributes = [...poolAttributes(x, size, stride), attribute.ints('explicit_paddings', [])];
  return withGradient([x], (save) => {
    const y = executeOne('MaxPool', attributes, [x]);
    save([x, y]);
    return { value: y, gradient: (dy, [x, y]) => [() => executeOne('MaxPoolGrad', attributes, [x!, y!, dy])] };
  });
}

/**
 * Mean over square windows.
 *
 * @param x `[batch, height, width, channels]`
 * @param options.padding px of zeros on each side, as PyTorch counts them
 * @param options.countPadding whether the zeros count in the mean, as PyTorch's `count_include_pad`
 */
export function averagePool(
  x: Tensor,
  {
    size,
    stride,
    padding = 0,
    countPadding = true,
  }: { size: number; stride: number; padding?: number; countPadding?: boolean },
): Tensor {
  if (padding > 0) {
    const pool = (image: Tensor) => averagePool(padSides(image, padding), { size, stride });
    if (countPadding) return pool(x);
    const [, height, width] = x.shape as [number, number, number];
    return pool(x).div(pool(tf.ones([1, height, width, 1])));
  }
  const attributes = poolAttributes(x, size, stride);
  const { shape } = x;
  return withGradient([x], () => ({
    value: executeOne('AvgPool', attributes, [x]),
    gradient: (dy) => [() => executeOne('AvgPoolGrad', attributes, [tf.tensor1d(shape, 'int32'), dy])],
  }));
}

function poolAttributes(x: Tensor, size: number, stride: number): Attribute[] {
  return [
    attribute.typeOf('T', x),
    attribute.ints('ksize', [1, size, size, 1]),
    attribute.ints('strides', [1, stride, stride, 1]),
    attribute.string('padding', 'VALID'),
    attribute.string('data_format', 'NHWC'),
  ];
}

/** Mean over height and width: `[batch, height, width, channels]` to `[batch, channels]`. */
export function globalAveragePool(x: Tensor): Tensor {
  return tf.mean(x, [1, 2]);
}
