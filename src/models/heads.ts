import { dense, relu, type Tensor, type Tensors, tf } from '../engine/index.js';
import type { Key } from '../runs/index.js';
import { kaimingDense } from './initialize.js';
import { type ModelTensors, Pass } from './pass.js';

/** A network on feature vectors, as pure functions. */
export interface Head {
  initialize(key: Key): ModelTensors;
  /**
   * @param features `[batch, inputSize]`
   * @returns `outputs` `[batch, outputSize]` and the state after the pass
   */
  apply(model: ModelTensors, features: Tensor, options: { training: boolean }): { outputs: Tensor; state: Tensors };
}

/**
 * SimCLR's projector, g in Chen et al., 2020 (arXiv 2002.05709), with two layers: dense without bias, batch norm,
 * relu, dense without bias, batch norm, as OpenSelfSup's NonLinearNeckSimCLR (whose second batch norm has a bias,
 * unlike the authors' own).
 */
export function projector(sizes: { inputSize: number; hiddenSize: number; outputSize: number }): Head {
  const { inputSize, hiddenSize, outputSize } = sizes;
  return {
    initialize: (key) => ({
      parameters: {
        'fc0.weight': kaimingDense(key.fold('fc0'), [hiddenSize, inputSize]),
        'bn0.weight': tf.ones([hiddenSize]),
        'bn0.bias': tf.zeros([hiddenSize]),
        'fc1.weight': kaimingDense(key.fold('fc1'), [outputSize, hiddenSize]),
        'bn1.weight': tf.ones([outputSize]),
        'bn1.bias': tf.zeros([outputSize]),
      },
      state: {
        'bn0.running_mean': tf.zeros([hiddenSize]),
        'bn0.running_var': tf.ones([hiddenSize]),
        'bn1.running_mean': tf.zeros([outputSize]),
        'bn1.running_var': tf.ones([outputSize]),
      },
    }),

    apply: (model, features, { training }) =>
      tf.tidy(() => {
        const pass = new Pass(model, training);
        const norm = (x: Tensor, name: string) => pass.norm(x.expandDims(1).expandDims(1), name).squeeze([1, 2]);
        const hidden = relu(norm(dense(features, pass.parameter('fc0.weight')), 'bn0'));
        const outputs = norm(dense(hidden, pass.parameter('fc1.weight')), 'bn1');
        return { outputs, state: pass.state };
      }),
  };
}
