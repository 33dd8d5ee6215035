import { algorithmInUse } from '../conv-algorithms.js';
import { runOp, type Tensor, withGradient } from '../runtime.js';
import {
  type Conv2dOptions,
  convolutionAttributes,
  padImages,
  padWidthsOf,
  shapeOf,
} from './convolution-attributes.js';
import { type ConvolutionShape, weightGradient } from './weight-gradient.js';

/**
 * Depthwise convolution: each channel has kernels of its own (Howard et al., 2017; arXiv 1704.04861). PyTorch's Conv2d
 * with as many groups as channels.
 *
 * @param x `[batch, height, width, channels]`
 * @param weight `[kernel height, kernel width, channels, multiplier]`: so many kernels for each channel
 * @returns `[batch, (height + 2 padding - kernel) / stride + 1, …, channels * multiplier]`, the outputs of a channel side
 *   by side
 */
export function depthwiseConv2d(x: Tensor, weight: Tensor, { stride = 1, padding = 0 }: Conv2dOptions = {}): Tensor {
  if (x.rank !== 4 || weight.rank !== 4 || x.shape[3] !== weight.shape[2]) {
    throw new RangeError(
      `depthwiseConv2d: x is [${x.shape}], so the weight is [height, width, ${x.shape.at(-1)}, multiplier]; it is [${weight.shape}]`,
    );
  }
  if (padding !== 'same' && String(padding) !== '0') {
    return depthwiseConv2d(padImages(x, padWidthsOf(padding)), weight, { stride });
  }
  const kind = padding === 'same' ? 'SAME' : 'VALID';
  const shape: ConvolutionShape = { kind: 'depthwise', x: x.shape, weight: weight.shape, stride, padding: kind };
  const attributes = convolutionAttributes(stride, kind);
  return withGradient([x, weight], (save) => {
    save([x, weight]);
    return {
      value: runOp('DepthwiseConv2dNative', attributes, [x, weight]),
      gradient: (dy, [x, weight]) => [
        () => runOp('DepthwiseConv2dNativeBackpropInput', attributes, [shapeOf(x!.shape), weight!, dy]),
        () => weightGradient(algorithmInUse(shape), shape, x!, dy),
      ],
    };
  });
}
