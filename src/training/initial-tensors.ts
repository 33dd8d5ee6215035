import type { Key } from '../base/index.js';
import type { TrainingTensors } from './checkpoint.js';
import type { Objective } from './objective.js';
import type { Optimizer } from './optimizer.js';

/** Weights, state and optimizer before the first step. */
export function initialTensors<Name extends string>(
  objective: Objective<Name>,
  optimizer: Optimizer,
  key: Key,
): TrainingTensors {
  const { parameters, state } = objective.initialize(key.fold('weights'));
  return { parameters, state, optimizer: optimizer.initialize(parameters) };
}
