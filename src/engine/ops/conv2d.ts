import { formInUse } from '../conv-algorithms.js';
import { runOp, type Tensor, withGradient } from '../runtime.js';
import { convolutionAttributes, padSides, shapeOf } from './convolution-attributes.js';
import { type ConvolutionShape, weightGradient } from './weight-gradient.js';

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
export function conv2d(x: Tensor, weight: Tensor, options: Conv2dOptions = {}): Tensor {
  const { pixels, shape } = planConvolution(x, weight, options);
  if (pixels > 0) return conv2d(padSides(x, pixels), weight, { stride: shape.stride });
  const attributes = convolutionAttributes(shape.stride, shape.padding);
  return withGradient([x, weight], (save) => {
    save([x, weight]);
    return {
      value: runOp('Conv2D', attributes, [x, weight]),
      gradient: (dy, [x, weight]) => [
        () => runOp('Conv2DBackpropInput', attributes, [shapeOf(x!.shape), weight!, dy]),
        () => weightGradient(formInUse(shape), shape, x!, dy),
      ],
    };
  });
}

/**
 * How TensorFlow computes a convolution: of a copy of x with so many px of zeros on each side, if not 0.
 *
 * @throws RangeError if the channels do not fit
 */
export function planConvolution(
  x: Tensor,
  weight: Tensor,
  { stride = 1, padding = 0 }: Conv2dOptions,
): { pixels: number; shape: ConvolutionShape } {
  const [height, width, inChannels] = weight.shape as [number, number, number, number];
  if (x.rank !== 4 || x.shape[3] !== inChannels) {
    throw new RangeError(`conv2d: x is [${x.shape}], but the weight [${weight.shape}] takes ${inChannels} channels`);
  }
  const same = stride === 1 && height === width && height === 2 * padding + 1;
  // For padding of its own kind TensorFlow leaves oneDNN for slower kernels of its own.
  const pixels = same ? 0 : padding;
  const [batch, rows, columns] = x.shape as [number, number, number, number];
  return {
    pixels,
    shape: {
      kind: 'convolution',
      x: [batch, rows + 2 * pixels, columns + 2 * pixels, inChannels],
      weight: weight.shape,
      stride,
      padding: same ? 'SAME' : 'VALID',
    },
  };
}
