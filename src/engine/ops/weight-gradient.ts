import { runOp, type Tensor, tf } from '../runtime.js';
import { convolutionAttributes, padImages, samePadWidths, shapeOf } from './convolution-attributes.js';
import { stridedSlice } from './strided-slice.js';

/**
 * How a convolution's weight gradient is computed. The sums are the same ones; their order and their speed are not:
 * - `convolution`: TensorFlow's own op for it;
 * - `product`: one matrix product, for kernels of 1x1;
 * - `shifts`: a product for each place of the kernel, with the images shifted to it.
 */
export const gradientAlgorithms = ['convolution', 'product', 'shifts'] as const;
export type GradientAlgorithm = (typeof gradientAlgorithms)[number];

/** A convolution, as far as the speed of its weight gradient depends on it. */
export interface ConvolutionShape {
  kind: 'convolution' | 'depthwise';
  /** `[batch, height, width, in]`, padded already unless `padding` is SAME. */
  x: readonly number[];
  /** `[kernel height, kernel width, in, out or multiplier]` */
  weight: readonly number[];
  stride: number;
  padding: 'SAME' | 'VALID';
}

/** What can compute the weight gradient, first what is taken where nothing was measured. */
export function supportedAlgorithms({ kind, weight, stride }: ConvolutionShape): readonly GradientAlgorithm[] {
  const [height, width] = weight as [number, number];
  if (kind === 'convolution' && height === 1 && width === 1) {
    // oneDNN's product is faster than its weight gradient of a 1x1 convolution.
    return stride === 1 ? ['product', 'convolution'] : ['convolution', 'product'];
  }
  return ['convolution', 'shifts'];
}

/** The gradient of `shape.weight`, from `x` and the gradient of the convolution's output. */
export function weightGradient(form: GradientAlgorithm, shape: ConvolutionShape, x: Tensor, dy: Tensor): Tensor {
  const { kind, stride, padding, weight } = shape;
  if (form === 'convolution') {
    const op = kind === 'depthwise' ? 'DepthwiseConv2dNativeBackpropFilter' : 'Conv2DBackpropFilter';
    return runOp(op, convolutionAttributes(stride, padding), [x, shapeOf(weight), dy]);
  }
  const [height, width, inChannels, last] = weight as [number, number, number, number];
  const [batch, rows, columns] = dy.shape as [number, number, number];
  const isPadded = padding === 'SAME' && height * width > 1;
  const padded = isPadded ? padImages(x, samePadWidths(x.shape, weight, stride)) : x;
  const part = (top: number, left: number) => {
    if (height === 1 && width === 1 && stride === 1) return padded;
    const end = [batch, top + stride * (rows - 1) + 1, left + stride * (columns - 1) + 1, inChannels];
    return stridedSlice(padded, [0, top, left, 0], end, [1, stride, stride, 1]);
  };
  const places = Array.from({ length: height * width }, (_, place) => part(Math.floor(place / width), place % width));
  const gradientOf =
    kind === 'depthwise'
      ? (shifted: Tensor) =>
          tf.sum(tf.mul(shifted.expandDims(4), dy.reshape([batch, rows, columns, inChannels, last])), [0, 1, 2])
      : (shifted: Tensor) => tf.matMul(shifted.reshape([-1, inChannels]), dy.reshape([-1, last]), true, false);
  return tf.stack(places.map(gradientOf)).reshape([...weight]);
}
