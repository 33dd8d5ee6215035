import { adamwUpdate, getTensor, mapTensors, type Tensor, type Tensors, tf, withPrefix } from '../engine/index.js';
import { isBiasOrNorm, type Optimizer } from './optimizer.js';

export interface AdamwOptions {
  /** Decay rates of the running means of the gradient and of its square. */
  betas?: readonly [number, number];
  epsilon?: number;
  /** Decoupled: it shrinks the parameter by itself, in step with the learning rate. A schedule's value goes before it. */
  weightDecay?: number;
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
    update: (parameters, gradients, state, { learningRate, weightDecay: scheduled }) =>
      tf.tidy(() => {
        const step = getTensor(state, 'step').add(1) as Tensor;
        const decay = scheduled ?? tf.scalar(weightDecay);
        const none = tf.scalar(0);
        const first: Tensors = {};
        const second: Tensors = {};
        const moved = mapTensors(parameters, (parameter, name) => {
          const before = {
            parameter,
            first: getTensor(state, `first/${name}`),
            second: getTensor(state, `second/${name}`),
          };
          const after = adamwUpdate(before, getTensor(gradients, name), {
            betas: [beta1, beta2],
            epsilon,
            learningRate,
            weightDecay: exclude(name, parameter) ? none : decay,
            step,
          });
          first[name] = after.first;
          second[name] = after.second;
          return after.parameter;
        });
        return { parameters: moved, state: { ...withPrefix(first, 'first/'), ...withPrefix(second, 'second/'), step } };
      }),
  };
}
