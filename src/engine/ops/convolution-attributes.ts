import { type Attribute, attribute, type Tensor, tf } from '../runtime.js';

export interface Conv2dOptions {
  /** Step of the window, px, the same in both directions. */
  stride?: number;
  /**
   * Zeros on each of the four sides, px, as PyTorch counts them; or above and below, and left and right. `same` is
   * TensorFlow's own way, which makes the output the input's size over the stride, rounded up: where the zeros do not fall
   * into two halves, the odd one comes below and on the right.
   */
  padding?: number | readonly [vertical: number, horizontal: number] | 'same';
}

/** Of TensorFlow's convolutions and their gradients. */
export function convolutionAttributes(stride: number, padding: 'SAME' | 'VALID'): Attribute[] {
  return [
    attribute.type('T', 'float32'),
    attribute.ints('strides', [1, stride, stride, 1]),
    attribute.string('padding', padding),
    attribute.ints('explicit_paddings', []),
    attribute.string('data_format', 'NHWC'),
    attribute.ints('dilations', [1, 1, 1, 1]),
  ];
}

/** A shape as a tensor, as gradients of convolutions take it. */
export function shapeOf(shape: readonly number[]): Tensor {
  return tf.tensor1d([...shape], 'int32');
}

/** Zeros above and below, and left and right. */
export type PadWidths = readonly [vertical: readonly [number, number], horizontal: readonly [number, number]];

/** Those that PyTorch's padding means. */
export function padWidthsOf(padding: number | readonly [number, number]): PadWidths {
  const [vertical, horizontal] = typeof padding === 'number' ? [padding, padding] : padding;
  return [
    [vertical, vertical],
    [horizontal, horizontal],
  ];
}

/** Those of TensorFlow's SAME. */
export function samePadWidths(x: readonly number[], weight: readonly number[], stride: number): PadWidths {
  const along = (size: number, kernel: number): [number, number] => {
    const zeros = Math.max((Math.ceil(size / stride) - 1) * stride + kernel - size, 0);
    return [Math.floor(zeros / 2), Math.ceil(zeros / 2)];
  };
  return [along(x[1]!, weight[0]!), along(x[2]!, weight[1]!)];
}

/** `[batch, height, width, channels]` with so many px of one value around it. */
export function padImages(x: Tensor, [vertical, horizontal]: PadWidths, value = 0): Tensor {
  return tf.pad(x, [[0, 0], [...vertical], [...horizontal], [0, 0]], value);
}
