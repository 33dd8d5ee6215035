import { mapTensors, type Tensor, tensorNamed, tf } from '../engine/index.js';
import { isBiasOrNorm, type Optimizer } from './optimizer.js';
import { descend, startVelocity } from './sgd.js';

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
    initialize: (parameters) => startVelocity(parameters, momentum),
    update: (parameters, gradients, state, learningRate) =>
      tf.tidy(() => {
        const directions = mapTensors(parameters, (parameter, name) => {
          const gradient = tensorNamed(gradients, name);
          if (exclude(name, parameter)) return gradient;
          const trust = trustRatio(parameter, gradient);
          return gradient.add(parameter.mul(weightDecay)).mul(trust);
        });
        return descend(parameters, directions, state, learningRate, { momentum });
      }),
  };

  /** 1 where either norm is 0, so that a layer of zeros can start to move. */
  function trustRatio(parameter: Tensor, gradient: Tensor): Tensor {
    const weightNorm = parameter.square().sum().sqrt();
    const gradientNorm = gradient.square().sum().sqrt();
    const ratio = weightNorm.mul(trustCoefficient).div(gradientNorm.add(weightNorm.mul(weightDecay)).add(epsilon));
    return tf.where(weightNorm.mul(gradientNorm).greater(0), ratio, tf.onesLike(ratio));
  }
}
