import { type Attribute, attribute, type Tensor, tf } from '../runtime.js';

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

/** `[batch, height, width, channels]` with so many px of one value on each of the four sides. */
export function padSides(x: Tensor, pixels: number, value = 0): Tensor {
  const sides: [number, number] = [pixels, pixels];
  return tf.pad(x, [[0, 0], sides, sides, [0, 0]], value);
}
