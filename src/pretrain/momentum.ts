import { mapTensors, subTensors, type Tensors, withPrefix } from '../engine/index.js';
import type { ModelTensors } from '../models/index.js';
import { movingAverage } from '../training/index.js';

/*
 * A momentum network (MoCo's key encoder, BYOL's target, DINO's teacher) is a slow copy of the trained one. It gets no
 * gradient, so it lies in the state. Its parameters are a moving average; its running statistics come from its own passes.
 */
const parameters = 'momentum/parameters/';
const state = 'momentum/state/';

/** A model with a copy of itself in its state. */
export function withMomentumCopy(model: ModelTensors): ModelTensors {
  const copied = (tensors: Tensors) => mapTensors(tensors, (tensor) => tensor.clone());
  const copy = { ...withPrefix(copied(model.parameters), parameters), ...withPrefix(copied(model.state), state) };
  return { parameters: model.parameters, state: { ...model.state, ...copy } };
}

/** The slow copy. */
export function momentumCopy(model: ModelTensors): ModelTensors {
  return { parameters: subTensors(model.state, parameters), state: subTensors(model.state, state) };
}

/** The state after a loss: what the trained network and the copy's passes left, and of the rest what was there. */
export function nextState(model: ModelTensors, left: Tensors, leftByCopy: Tensors): Tensors {
  return { ...model.state, ...left, ...withPrefix(leftByCopy, state) };
}

/** After the optimizer's update: the copy's parameters move toward the trained ones of the same names. */
export function updateMomentumCopy(after: ModelTensors, options: Parameters<typeof movingAverage>[2]): ModelTensors {
  const slow = momentumCopy(after).parameters;
  const trained = mapTensors(slow, (_, name) => after.parameters[name]!);
  const moved = movingAverage(slow, trained, options);
  return { parameters: after.parameters, state: { ...after.state, ...withPrefix(moved, parameters) } };
}
