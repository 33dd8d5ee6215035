import { mapTensors, type Tensor, type Tensors, tensorNamed, tf, withoutPrefix, withPrefix } from '../engine/index.js';
import { isBiasOrNorm, type Optimizer } from './optimizer.js';

export interface AdamwOptions {
  /** Weights of the past in the running means of the gradient and of its square. */
  betas?: readonly [number, number];
  epsilon?: number;
  /** Decoupled: it shrinks the parameter by itself, in step with the learning rate. A scalar tensor may change. */
  weightDecay?: number | Tensor;
  /** Parameters without weight decay. */
  exclude?: (name: string, parameter: Tensor) => boolean;
}

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter, 2019; arXiv 1711.05101), the same arithmetic as
 * torch.optim.AdamW. Its state is `first/NAME` and `second/NAME`, the running means, and `step`, a scalar.
 */
export function adamw({
  betas: [beta1, beta2] = [0.9, 0.999],
  epsilon = 1e-8,
  weightDecay = 0.01,
  exclude = isBiasOrNorm,
}: AdamwOptions = {}): Optimizer {
  for (const [name, beta] of Object.entries({ beta1, beta2 })) {
    if (!(beta >= 0 && beta < 1)) throw new RangeError(`adamw: ${name} is at least 0 and below 1; got ${beta}`);
  }
  return {
    initialize: (parameters) => {
      const zeros = () => mapTensors(parameters, (parameter) => tf.zerosLike(parameter));
      return { ...withPrefix(zeros(), 'first/'), ...withPrefix(zeros(), 'second/'), step: tf.scalar(0) };
    },
    update: (parameters, gradients, state, learningRate) =>
      tf.tidy(() => {
        const step = tensorNamed(state, 'step').add(1) as Tensor;
        const first = blend(withoutPrefix(state, 'first/'), gradients, beta1);
        const squares = mapTensors(gradients, (gradient) => gradient.square());
        const second = blend(withoutPrefix(state, 'second/'), squares, beta2);
        const rate = learningRate.div(bias(beta1, step)) as Tensor;
        const secondBias = bias(beta2, step).sqrt();
        const shrink = learningRate.mul(weightDecay) as Tensor;
        const moved = mapTensors(parameters, (parameter, name) => {
          const root = tensorNamed(second, name).sqrt().div(secondBias).add(epsilon);
          const kept = exclude(name, parameter) ? parameter : parameter.sub(parameter.mul(shrink));
          return kept.sub(tensorNamed(first, name).div(root).mul(rate));
        });
        return { parameters: moved, state: { ...withPrefix(first, 'first/'), ...withPrefix(second, 'second/'), step } };
      }),
  };
}

/** Running means: beta old + (1 - beta) new. */
function blend(old: Tensors, now: Tensors, beta: number): Tensors {
  return mapTensors(old, (mean, name) => mean.mul(beta).add(tensorNamed(now, name).mul(1 - beta)));
}

/** 1 - beta^step. The power is so near to 1 at first that the difference would have few right digits in float32. */
function bias(beta: number, step: Tensor): Tensor {
  return tf.expm1(step.mul(Math.log(beta))).neg();
}
