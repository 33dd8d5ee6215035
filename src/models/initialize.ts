import type { Key } from '../base/index.js';
import { randomNormal, type Tensor, tf } from '../engine/index.js';
import type { ModelTensors } from './forward-pass.js';

/**
 * He et al., 2015 (arXiv 1502.01852), normal, fan out, gain of relu: torchvision's choice for convolutions.
 *
 * @param shape `[kernel height, kernel width, in, out]`
 * @param groups into which inputs and outputs fall; of a depthwise convolution, as many as outputs
 */
export function kaimingConvolution(key: Key, shape: readonly [number, number, number, number], groups = 1): Tensor {
  const [height, width, , out] = shape;
  return randomNormal(key, shape, 0, Math.sqrt((2 * groups) / (height * width * out)));
}

/** The same with fan in, for a dense weight `[out, in]`. */
export function kaimingDense(key: Key, shape: readonly [number, number]): Tensor {
  return randomNormal(key, shape, 0, Math.sqrt(2 / shape[1]));
}

/** Adds a batch norm that as yet changes nothing: scale 1, shift 0, and the same as its running statistics. */
export function addBatchNorm({ parameters, state }: ModelTensors, name: string, channels: number): void {
  parameters[`${name}.weight`] = tf.ones([channels]);
  parameters[`${name}.bias`] = tf.zeros([channels]);
  state[`${name}.running_mean`] = tf.zeros([channels]);
  state[`${name}.running_var`] = tf.ones([channels]);
}

/** Sets the running statistics of every batch norm of a model to those of a fresh one. */
export function resetRunningStatistics({ state }: ModelTensors): void {
  for (const [name, tensor] of Object.entries(state)) {
    if (!/(^|\.)running_(mean|var)$/.test(name)) continue;
    state[name] = name.endsWith('mean') ? tf.zeros(tensor.shape) : tf.ones(tensor.shape);
    tensor.dispose();
  }
}
