import { getTensor, mapTensors, type Tensor, tf } from '../engine/index.js';
import { isBiasOrNorm, type Optimizer } from './optimizer.js';
import { initialVelocity, sgdUpdate } from './sgd.js';

export interface LarsOptions {
  momentum?: number;
  weightDecay?: number;
  /** Size of a layer's step relative to its weights; eta in the paper. */
  trustCoefficient?: number;
  /** Parameters that take plain momentum steps without decay. */
  exclude?: (name: string, parameter: Tensor) => boolean;
  epsilon?: number;
}

/**
 * Layer-wise adaptive rate scaling (You et al., 2017; arXiv 1708.03888). A layer's gradient with its weight decay is
 * scaled by trustCoefficient |w| / (|g| + weightDecay |w|). The momentum is as in timm's Lars and Apex's LARC: the
 * learning rate multiplies it afterwards, while the paper's algorithm 1 has the rate inside; the two differ only while
 * the rate changes.
 */
export function lars({
  momentum = 0.9,
  weightDecay = 0,
  trustCoefficient = 0.001,
  exclude = isBiasOrNorm,
  epsilon = 1e-8,
}: LarsOptions = {}): Optimizer {
  return {
    initialize: (parameters) => initialVelocity(parameters, momentum),
    update: (parameters, gradients, state, { learningRate, weightDecay: scheduled }) =>
      tf.tidy(() => {
        const directions = mapTensors(parameters, (parameter, name) => {
          const gradient = getTensor(gradients, name);
          if (exclude(name, parameter)) return gradient;
          const decay = scheduled ?? weightDecay;
          return gradient.add(parameter.mul(decay)).mul(trustRatio(parameter, gradient, decay));
        });
        return sgdUpdate(parameters, directions, state, learningRate, { momentum });
      }),
  };

  /** 1 where either norm is 0, so that a layer of zeros can start to move. */
  function trustRatio(parameter: Tensor, gradient: Tensor, decay: number | Tensor): Tensor {
    const weightNorm = parameter.square().sum().sqrt();
    const gradientNorm = gradient.square().sum().sqrt();
    const ratio = weightNorm.mul(trustCoefficient).div(gradientNorm.add(weightNorm.mul(decay)).add(epsilon));
    return tf.where(weightNorm.mul(gradientNorm).greater(0), ratio, tf.onesLike(ratio));
  }
}
