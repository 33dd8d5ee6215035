import { mapTensors, type Tensor, type Tensors, tensorNamed, tf } from '../engine/index.js';
import type { Optimizer } from './optimizer.js';

export interface SgdOptions {
  momentum?: number;
  /** Look-ahead of Nesterov's momentum (Sutskever et al., 2013). */
  nesterov?: boolean;
  /** Coupled: added to the gradient, and so passes through the momentum. */
  weightDecay?: number;
  /** Parameters without weight decay. */
  exclude?: (name: string, parameter: Tensor) => boolean;
}

/** Stochastic gradient descent, the same arithmetic as torch.optim.SGD with dampening 0. */
export function sgd({
  momentum = 0,
  nesterov = false,
  weightDecay = 0,
  exclude = () => false,
}: SgdOptions = {}): Optimizer {
  if (nesterov && momentum === 0) throw new RangeError("sgd: Nesterov's look-ahead needs a momentum above 0");
  return {
    initialize: (parameters) => startVelocity(parameters, momentum),
    update: (parameters, gradients, state, learningRate) =>
      tf.tidy(() => {
        const decayed = mapTensors(parameters, (parameter, name) => {
          const gradient = tensorNamed(gradients, name);
          if (weightDecay === 0 || exclude(name, parameter)) return gradient;
          return gradient.add(parameter.mul(weightDecay));
        });
        return descend(parameters, decayed, state, learningRate, { momentum, nesterov });
      }),
  };
}

export function startVelocity(parameters: Tensors, momentum: number): Tensors {
  return momentum === 0 ? {} : mapTensors(parameters, (parameter) => tf.zerosLike(parameter));
}

/** One step along directions that are ready: v = momentum v + d; parameter - rate (v, or d + momentum v). */
export function descend(
  parameters: Tensors,
  directions: Tensors,
  velocity: Tensors,
  learningRate: Tensor,
  { momentum, nesterov }: { momentum: number; nesterov: boolean },
): { parameters: Tensors; state: Tensors } {
  const state =
    momentum === 0
      ? {}
      : mapTensors(directions, (direction, name) => tensorNamed(velocity, name).mul(momentum).add(direction));
  const moved = mapTensors(parameters, (parameter, name) => {
    const direction = tensorNamed(directions, name);
    const step =
      momentum === 0 ? direction : nesterov ? direction.add(state[name]!.mul(momentum)) : tensorNamed(state, name);
    return parameter.sub(step.mul(learningRate));
  });
  return { parameters: moved, state };
}
