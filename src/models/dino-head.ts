import { dense, l2Normalize, probed, randomUniform, tf, truncatedNormal, withPrefix } from '../engine/index.js';
import { type Head, mlp, subModel } from './network.js';

export interface DinoHeadOptions {
  inputs: number;
  hiddenSize: number;
  bottleneckSize: number;
  outputSize: number;
  /** Whether the rows of the last layer keep length 1, or have a length that is learned. */
  normLastLayer: boolean;
  /** Whether batch norm stands before each gelu: the authors' choice for convolutional networks. */
  batchNorm: boolean;
}

/**
 * DINO's head (Caron et al., 2021; arXiv 2104.14294, appendix C): three dense layers with gelu between them, vectors of unit
 * length, and a weight-normalized layer (Salimans and Kingma, 2016; arXiv 1602.07868): its rows are v / |v|, times g where
 * that is learned. Names: `mlp.fc0.weight`..., `last_layer.weight_v`, `last_layer.weight_g`.
 */
export function dinoHead(options: DinoHeadOptions): Head {
  const { inputs, hiddenSize, bottleneckSize, outputSize, normLastLayer, batchNorm } = options;
  const layers = mlp([inputs, hiddenSize, hiddenSize, bottleneckSize], {
    ...{ norm: batchNorm ? 'hidden' : 'none', bias: 'every', activation: 'gelu' },
    weight: (key, shape) => truncatedNormal(key, shape, 0, 0.02),
  });
  return {
    initialize(key) {
      const { parameters, state } = layers.initialize(key.fold('mlp'));
      const bound = 1 / Math.sqrt(bottleneckSize);
      return {
        parameters: {
          ...withPrefix(parameters, 'mlp.'),
          'last_layer.weight_v': randomUniform(key.fold('last_layer'), [outputSize, bottleneckSize], -bound, bound),
          ...(!normLastLayer && { 'last_layer.weight_g': tf.ones([outputSize, 1]) }),
        },
        state: withPrefix(state, 'mlp.'),
      };
    },
    apply: (model, features, options) =>
      tf.tidy(() => {
        const { outputs, state } = layers.apply(subModel(model, 'mlp'), features, options);
        const { 'last_layer.weight_v': v, 'last_layer.weight_g': g } = model.parameters;
        const direction = l2Normalize(v!);
        return {
          outputs: probed('head', dense(l2Normalize(outputs), g ? direction.mul(g) : direction)),
          state: withPrefix(state, 'mlp.'),
        };
      }),
  };
}
