import { getTensor, subTensors, type Tensors, tf, withPrefix, zipTensors } from '../engine/index.js';
import type { Optimizer } from './optimizer.js';
import { select } from './select.js';

const prefix = 'freezing/';

/**
 * An optimizer that freezes some parameters while the schedule `frozen` is above 0: they do not decay, and their
 * optimizer state, including Adam's step count, is unchanged. A gradient of 0 would still change them.
 *
 * @param freezes whether a parameter is one of them, by its name
 */
export function freezing(optimizer: Optimizer, freezes: (name: string) => boolean): Optimizer {
  const some = (tensors: Tensors, frozen: boolean) =>
    Object.fromEntries(Object.entries(tensors).filter(([name]) => freezes(name) === frozen));
  return {
    initialize: (parameters) => ({
      ...optimizer.initialize(some(parameters, false)),
      ...withPrefix(optimizer.initialize(some(parameters, true)), prefix),
    }),
    update: (parameters, gradients, state, scheduled) =>
      tf.tidy(() => {
        if (!scheduled.frozen) throw new Error('freezing: there is no schedule named "frozen"');
        const others = Object.fromEntries(Object.entries(state).filter(([name]) => !name.startsWith(prefix)));
        const free = optimizer.update(some(parameters, false), some(gradients, false), others, scheduled);
        const before = { parameters: some(parameters, true), state: subTensors(state, prefix) };
        const moved = optimizer.update(before.parameters, some(gradients, true), before.state, scheduled);
        const isFrozen = scheduled.frozen.greater(0);
        const held = {
          parameters: zipTensors(moved.parameters, before.parameters, (now, then) => select(isFrozen, then, now)),
          state: zipTensors(moved.state, before.state, (now, then) => select(isFrozen, then, now)),
        };
        const updated = { ...free.parameters, ...held.parameters };
        return {
          parameters: Object.fromEntries(Object.keys(parameters).map((name) => [name, getTensor(updated, name)])),
          state: { ...free.state, ...withPrefix(held.state, prefix) },
        };
      }),
  };
}
