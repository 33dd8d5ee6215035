import { type Attribute, attribute, executeOne, type Tensor, tf, withGradient } from '../runtime.js';

export interface Conv2dOptions {
  /** Step of the window, px, the same in both directions. */
  stride?: number;
  /** Zeros on each of the four sides, px, as PyTorch counts them. */
  padding?: number;
}

/**
 * Convolution (cross-correlation) with its gradients.
 *
 * @param x `[batch, height, width, in]`
 * @param weight `[kernel height, kernel width, in, out]`
 * @returns `[batch, (height + 2 padding - kernel) / stride + 1, …, out]`
 */
export function conv2d(x: Tensor, weight: Tensor, { stride = 1, padding = 0 }: Conv2dOptions = {}): Tensor {
  const [height, width, inChannels] = weight.shape as [number, number, number, number];
  if (x.rank !== 4 || x.shape[3] !== inChannels) {
    throw new RangeError(`conv2d: x is [${x.shape}], but the weight [${weight.shape}] takes ${inChannels} channels`);
  }
  const same = stride === 1 && height === width && height === 2 * padding + 1;
  if (padding > 0 && !same) {
    // For padding of its own kind TensorFlow leaves oneDNN for slower kernels of its own.
    return conv2d(padSides(x, padding), weight, { stride });
  }
  const attributes = convolutionAttributes(stride, same ? 'SAME' : 'VALID');
  const pointwise = height === 1 && width === 1 && stride === 1;
  return withGradient([x, weight], (save) => {
    save([x, weight]);
    return {
      value: executeOne('Conv2D', attributes, [x, weight]),
      gradient: (dy, [x, weight]) => [
        () => executeOne('Conv2DBackpropInput', attributes, [shapeOf(x!), weight!, dy]),
        () =>
          pointwise
            ? pointwiseWeightGradient(x!, dy)
            : executeOne('Conv2DBackpropFilter', attributes, [x!, shapeOf(weight!), dy]),
      ],
    };
  });
}

/** A matrix product gives the same sums, and oneDNN's is faster than its weight gradient of a 1x1 convolution. */
function pointwiseWeightGradient(x: Tensor, dy: Tensor): Tensor {
  const inChannels = x.shape[3]!;
  const outChannels = dy.shape[3]!;
  return tf
    .matMul(x.reshape([-1, inChannels]), dy.reshape([-1, outChannels]), true, false)
    .reshape([1, 1, inChannels, outChannels]);
}

/** `[batch, height, width, channels]` with so many px of one value on each of the four sides. */
export function padSides(x: Tensor, pixels: number, value = 0): Tensor {
  const sides: [number, number] = [pixels, pixels];
  return tf.pad(x, [[0, 0], sides, sides, [0, 0]], value);
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

/** The shape as a tensor, as gradients of convolutions take it. */
export function shapeOf({ shape }: Tensor): Tensor {
  return tf.tensor1d(shape, 'int32');
}
