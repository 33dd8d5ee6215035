import { getTensor, mapTensors, momentumUpdate, type Tensor, type Tensors, tf } from '../engine/index.js';
import type { Optimizer } from './optimizer.js';

export interface SgdOptions {
  momentum?: number;
  /** Coupled: added to the gradient, and so passes through the momentum. */
  weightDecay?: number;
  /** Parameters without weight decay. */
  exclude?: (name: string, parameter: Tensor) => boolean;
}

/** Stochastic gradient descent, the same arithmetic as torch.optim.SGD with dampening 0. */
export function sgd({ momentum = 0, weightDecay = 0, exclude = () => false }: SgdOptions = {}): Optimizer {
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
        return sgdUpdate(parameters, directions, state, learningRate, { momentum, decayOf });
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
  { momentum, decayOf = () => 0 }: { momentum: number; decayOf?: (name: string) => number },
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
    const after = momentumUpdate(before, direction, { momentum, learningRate, weightDecay });
    state[name] = after.velocity;
    return after.parameter;
  });
  return { parameters: moved, state };
}
