import type { Key } from '../base/index.js';
import { randomNormal, type Tensor } from '../engine/index.js';

/** He et al., 2015 (arXiv 1502.01852), normal, fan out, gain of relu: torchvision's choice for convolutions. */
export function kaimingConvolution(key: Key, shape: readonly [number, number, number, number]): Tensor {
  const [height, width, , out] = shape;
  return randomNormal(key, shape, 0, Math.sqrt(2 / (height * width * out)));
}

/** The same with fan in, for a dense weight `[out, in]`. */
export function kaimingDense(key: Key, shape: readonly [number, number]): Tensor {
  return randomNormal(key, shape, 0, Math.sqrt(2 / shape[1]));
}
