import { algorithmInUse } from '../conv-algorithms.js';
import { runOp, type Tensor, withGradient } from '../runtime.js';
import {
  type Conv2dOptions,
  convolutionAttributes,
  type PadWidths,
  padImages,
  padWidthsOf,
  shapeOf,
} from './convolution-attributes.js';
import { type ConvolutionShape, weightGradient } from './weight-gradient.js';

/**
 * Convolution (cross-correlation) with its gradients.
 *
 * @param x `[batch, height, width, in]`
 * @param weight `[kernel height, kernel width, in, out]`
 * @returns `[batch, (height + 2 padding - kernel) / stride + 1, …, out]`
 */
export function conv2d(x: Tensor, weight: Tensor, options: Conv2dOptions = {}): Tensor {
  const { padWidths, shape } = planConvolution(x, weight, options);
  if (padWidths) return conv2d(padImages(x, padWidths), weight, { stride: shape.stride });
  const attributes = convolutionAttributes(shape.stride, shape.padding);
  return withGradient([x, weight], (save) => {
    save([x, weight]);
    return {
      value: runOp('Conv2D', attributes, [x, weight]),
      gradient: (dy, [x, weight]) => [
        () => runOp('Conv2DBackpropInput', attributes, [shapeOf(x!.shape), weight!, dy]),
        () => weightGradient(algorithmInUse(shape), shape, x!, dy),
      ],
    };
  });
}

/**
 * How TensorFlow computes a convolution: of a copy of x with so many px of zeros around it, if any.
 *
 * @throws RangeError if the channels do not fit
 */
export function planConvolution(
  x: Tensor,
  weight: Tensor,
  { stride = 1, padding = 0 }: Conv2dOptions,
): { padWidths: PadWidths | undefined; shape: ConvolutionShape } {
  const [height, width, inChannels] = weight.shape as [number, number, number, number];
  if (x.rank !== 4 || x.shape[3] !== inChannels) {
    throw new RangeError(`conv2d: x is [${x.shape}], but the weight [${weight.shape}] takes ${inChannels} channels`);
  }
  const shape = { kind: 'convolution' as const, weight: weight.shape, stride };
  if (padding === 'same') return { padWidths: undefined, shape: { ...shape, x: x.shape, padding: 'SAME' } };
  const padWidths = padWidthsOf(padding);
  const [[above], [left]] = padWidths;
  const keepsSize = stride === 1 && height === 2 * above + 1 && width === 2 * left + 1;
  if (keepsSize) return { padWidths: undefined, shape: { ...shape, x: x.shape, padding: 'SAME' } };
  const [batch, rows, columns] = x.shape as [number, number, number, number];
  return {
    // For padding of its own kind TensorFlow leaves oneDNN for slower kernels of its own.
    padWidths: above + left > 0 ? padWidths : undefined,
    shape: { ...shape, x: [batch, rows + 2 * above, columns + 2 * left, inChannels], padding: 'VALID' },
  };
}
