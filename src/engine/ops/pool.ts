import { attribute, executeOne, type Tensor, tf, withGradient } from '../runtime.js';
import { padSides } from './conv2d.js';

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
  // With padding of its own kind TensorFlow leaves oneDNN for kernels of a fifth of the speed.
  if (padding > 0) return maxPool(padSides(x, padding, Number.NEGATIVE_INFINITY), { size, stride });
  const attributes = [
    attribute.typeOf('T', x),
    attribute.ints('ksize', [1, size, size, 1]),
    attribute.ints('strides', [1, stride, stride, 1]),
    attribute.string('padding', 'VALID'),
    attribute.ints('explicit_paddings', []),
    attribute.string('data_format', 'NHWC'),
  ];
  return withGradient([x], (save) => {
    const y = executeOne('MaxPool', attributes, [x]);
    save([x, y]);
    return { value: y, gradient: (dy, [x, y]) => [() => executeOne('MaxPoolGrad', attributes, [x!, y!, dy])] };
  });
}

/** Mean over height and width: `[batch, height, width, channels]` to `[batch, channels]`. */
export function globalAveragePool(x: Tensor): Tensor {
  return tf.mean(x, [1, 2]);
}
