import { type Tensor, type Tensors, zipTensors } from '../engine/index.js';
import type { Optimizer } from './optimizer.js';

/**
 * An optimizer whose updates are multiplied by a factor of each parameter, as if it had a learning rate of its own: layer-wise
 * rates (Clark et al., 2020; arXiv 2003.10555). Decoupled weight decay, which the rate multiplies, changes with it.
 *
 * @param factorOf of a parameter, by its name
 */
export function withRateFactors(optimizer: Optimizer, factorOf: (name: string) => number): Optimizer {
  return {
    initialize: (parameters) => optimizer.initialize(parameters),
    update(parameters, gradients, state, scheduled) {
      const updated = optimizer.update(parameters, gradients, state, scheduled);
      const scaled: Tensors = zipTensors(parameters, updated.parameters, (before, after, name) => {
        const factor = factorOf(name);
        return factor === 1 ? after : (before.add(after.sub(before).mul(factor)) as Tensor);
      });
      return { parameters: scaled, state: updated.state };
    },
  };
}
