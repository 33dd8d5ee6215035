import { formInUse } from '../convolution-forms.js';
import { executeOne, type Tensor, withGradient } from '../runtime.js';
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
  const shape: ConvolutionShape = {
    kind: 'convolution',
    x: x.shape,
    weight: weight.shape,
    stride,
    padding: same ? 'SAME' : 'VALID',
  };
  const attributes = convolutionAttributes(stride, shape.padding);
  return withGradient([x, weight], (save) => {
    save([x, weight]);
    return {
      value: executeOne('Conv2D', attributes, [x, weight]),
      gradient: (dy, [x, weight]) => [
        () => executeOne('Conv2DBackpropInput', attributes, [shapeOf(x!.shape), weight!, dy]),
        () => weightGradient(formInUse(shape), shape, x!, dy),
      ],
    };
  });
}
