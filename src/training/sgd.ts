import { getTensor, mapTensors, momentumUpdate, type Tensor, type Tensors, tf } from '../engine/index.js';
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
  if (nesterov && momentum === 0) throw new RangeError('sgd: Nesterov momentum needs a momentum above 0');
  return {
    initialize: (parameters) => initialVelocity(parameters, momentum),
    update: (parameters, gradients, state, { learningRate, weightDecay: scheduled }) =>
      tf.tidy(() => {
        const decays = (name: string) => !exclude(name, getTensor(parameters, name));
        const directions = scheduled
          ? mapTensors(gradients, (gradient, name) =>
              decays(name) ? gradient.add(getTensor(parameters, name).mul(scheduled)) : gradient,
            )
          : gradients;
        const decayOf = (name: string) => (!scheduled && decays(name) ? weightDecay : 0);
        return sgdUpdate(parameters, directions, state, learningRate, { momentum, nesterov, decayOf });
      }),
  };
}

export function initialVelocity(parameters: Tensors, momentum: number): Tensors {
  return momentum === 0 ? {} : mapTensors(parameters, (parameter) => tf.zerosLike(parameter));
}

/** One step along given directions; with a momentum of 0 there is no velocity. */
export function sgdUpdate(
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
    const direction = getTensor(directions, name);
    const weightDecay = decayOf(name);
    if (momentum === 0) {
      const decayed = weightDecay === 0 ? direction : direction.add(parameter.mul(weightDecay));
      return parameter.sub(decayed.mul(learningRate));
    }
    const before = { parameter, velocity: getTensor(velocities, name) };
    const after = momentumUpdate(before, direction, { momentum, nesterov, learningRate, weightDecay });
    state[name] = after.velocity;
    return after.parameter;
  });
  return { parameters: moved, state };
}
