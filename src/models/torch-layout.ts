import { mapTensors, type Tensor, type Tensors, tf } from '../engine/index.js';
import type { ModelTensors } from './forward-pass.js';

/*
 * PyTorch keeps a convolution's weight as [out, in, height, width], TensorFlow as [height, width, in, out]. Names and
 * everything else are the same; this file is the one place that knows.
 */

const isState = (name: string) => /\.running_(mean|var)$/.test(name);

/** A PyTorch state dict as parameters and state. BatchNorm's step counters, which nothing uses, are left out. */
export function fromTorch(stateDict: Tensors): ModelTensors {
  const wanted = Object.entries(stateDict).filter(([name]) => !name.endsWith('.num_batches_tracked'));
  const pick = (state: boolean) => Object.fromEntries(wanted.filter(([name]) => isState(name) === state));
  return tf.tidy(() => ({
    parameters: mapTensors(pick(false), (tensor) => swapAxes(tensor, [2, 3, 1, 0])),
    state: mapTensors(pick(true), (tensor) => tensor.clone()),
  }));
}

/** The other way round. */
export function toTorch({ parameters, state }: ModelTensors): Tensors {
  return tf.tidy(() => ({
    ...mapTensors(parameters, (tensor) => swapAxes(tensor, [3, 2, 0, 1])),
    ...mapTensors(state, (tensor) => tensor.clone()),
  }));
}

function swapAxes(tensor: Tensor, axes: number[]): Tensor {
  return tensor.rank === 4 ? tensor.transpose(axes) : tensor.clone();
}
