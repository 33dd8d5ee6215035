import { mapTensors, momentumUpdate, type Tensor, type Tensors, tensorNamed, tf } from '../engine/index.js';
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
        const decayOf = (name: string) => (exclude(name, tensorNamed(parameters, name)) ? 0 : weightDecay);
        if (momentum > 0) return descend(parameters, gradients, state, learningRate, { momentum, nesterov, decayOf });
        const moved = mapTensors(parameters, (parameter, name) => {
          const gradient = tensorNamed(gradients, name);
          const decay = decayOf(name);
          return parameter.sub((decay === 0 ? gradient : gradient.add(parameter.mul(decay))).mul(learningRate));
        });
        return { parameters: moved, state: {} };
      }),
  };
}

export function startVelocity(parameters: Tensors, momentum: number): Tensors {
  return momentum === 0 ? {} : mapTensors(parameters, (parameter) => tf.zerosLike(parameter));
}

/** One step with momentum along directions that are ready. */
export function descend(
  parameters: Tensors,
  directions: Tensors,
  velocities: Tensors,
  learningRate: Tensor,
  {
    momentum,
    nesterov = false,
    decayOf = () => 0,
  }: { momentum: number; nesterov?: boolean; decayOf?: (name: string) => number },
): { parameters: Tensors; state: Tensors } {
  const state: Tensors = {};
  const moved = mapTensors(parameters, (parameter, name) => {
    const before = { parameter, velocity: tensorNamed(velocities, name) };
    const options = { momentum, nesterov, learningRate, weightDecay: decayOf(name) };
    const after = momentumUpdate(before, tensorNamed(directions, name), options);
    state[name] = after.velocity;
    return after.parameter;
  });
  return { parameters: moved, state };
}
