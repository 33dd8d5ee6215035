import { hasCustomOps } from '../custom-ops.js';
import { type Attribute, attribute, executeOp, runOp, type Tensor, tf, withGradient } from '../runtime.js';
import { padImages, padWidthsOf } from './convolution-attributes.js';

/**
 * Maximum over square windows. A NaN wins, as in PyTorch.
 *
 * @param x `[batch, height, width, channels]`
 * @param options.padding px on each side that never win, as PyTorch counts them
 * @throws RangeError if no window fits into x
 */
export function maxPool(
  x: Tensor,
  { size, stride, padding = 0 }: { size: number; stride: number; padding?: number },
): Tensor {
  if (!hasCustomOps()) return composedMaxPool(x, { size, stride, padding });
  const [, height, width] = x.shape as [number, number, number];
  const [rows, columns] = [height, width].map((length) => Math.floor((length + 2 * padding - size) / stride) + 1);
  if (!(rows! > 0 && columns! > 0)) throw new RangeError(`no window of ${size} px fits into an image [${x.shape}]`);
  const attributes = [
    attribute.typeOf('T', x),
    attribute.int('size', size),
    attribute.int('stride', stride),
    attribute.int('padding', padding),
  ];
  return withGradient([x], (save) => {
    const [y, places] = executeOp('PathlabMaxPool', attributes, [x, tf.zeros([rows!]), tf.zeros([columns!])], 2);
    save([places!, x]);
    return { value: y!, gradient: (dy, saved) => [() => runOp('PathlabMaxPoolGrad', attributes, [dy, ...saved])] };
  });
}

/** The same from TensorFlow's own ops, whose maximum drops a NaN. */
export function composedMaxPool(
  x: Tensor,
  { size, stride, padding = 0 }: { size: number; stride: number; padding?: number },
): Tensor {
  if (padding > 0)
    return composedMaxPool(padImages(x, padWidthsOf(padding), Number.NEGATIVE_INFINITY), { size, stride });
  const attributes = [...poolAttributes(x, size, stride), attribute.ints('explicit_paddings', [])];
  return withGradient([x], (save) => {
    const y = runOp('MaxPool', attributes, [x]);
    save([x, y]);
    const hasNaN = runOp('MaxPool', attributes, [tf.isNaN(x).toFloat()]).greater(0);
    const value = tf.where(hasNaN, tf.fill(y.shape, Number.NaN), y) as Tensor;
    return { value, gradient: (dy, [x, y]) => [() => runOp('MaxPoolGrad', attributes, [x!, y!, dy])] };
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
    const pool = (image: Tensor) => averagePool(padImages(image, padWidthsOf(padding)), { size, stride });
    if (countPadding) return pool(x);
    const [, height, width] = x.shape as [number, number, number];
    return pool(x).div(pool(tf.ones([1, height, width, 1])));
  }
  const attributes = poolAttributes(x, size, stride);
  const { shape } = x;
  return withGradient([x], () => ({
    value: runOp('AvgPool', attributes, [x]),
    gradient: (dy) => [() => runOp('AvgPoolGrad', attributes, [tf.tensor1d(shape, 'int32'), dy])],
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
