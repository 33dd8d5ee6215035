import { expect, it } from 'vitest';
import { disposeTensors, type Tensors, tf } from '../../src/engine/index.js';
import { adamw, dynamicLossScaling, freezing, sgd } from '../../src/training/index.js';

const isLast = (name: string) => name === 'last';
const start = (): Tensors => ({ first: tf.tensor2d([[1, -2]]), last: tf.tensor2d([[3, 4]]) });
const gradientsAt = (step: number): Tensors => ({
  first: tf.tensor2d([[0.1 * step, 1]]),
  last: tf.tensor2d([[-1, 0.3 * step]]),
});
const scheduled = (frozen: number) => ({ learningRate: tf.scalar(0.1), frozen: tf.scalar(frozen) });
const values = (tensors: Tensors) =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, Array.from(tensor.dataSync())]));

it.each([
  ['adamw', () => adamw({ weightDecay: 0.1 })],
  ['sgd', () => sgd({ momentum: 0.9, weightDecay: 0.1 })],
])('%s goes on with frozen parameters as if their first gradient came after the freeze', (_name, make) => {
  const optimizer = freezing(make(), isLast);
  let parameters = start();
  let state = optimizer.initialize(parameters);
  for (let step = 0; step < 4; step++) {
    ({ parameters, state } = optimizer.update(parameters, gradientsAt(step), state, scheduled(step < 2 ? 1 : 0)));
    if (step < 2) expect(values(parameters).last).toEqual([3, 4]);
  }
  expect(Object.keys(parameters)).toEqual(['first', 'last']);
  const plain = make();
  const alone = (name: string, from: number) => {
    let own: Tensors = { [name]: start()[name]! };
    let state = plain.initialize(own);
    for (let step = from; step < 4; step++) {
      const gradient = { [name]: gradientsAt(step)[name]! };
      ({ parameters: own, state } = plain.update(own, gradient, state, scheduled(0)));
    }
    return values(own)[name];
  };
  expect(values(parameters)).toEqual({ first: alone('first', 0), last: alone('last', 2) });
});

it('leaves no tensors behind, works under loss scaling, and asks for its schedule', () => {
  const optimizer = dynamicLossScaling(freezing(adamw(), isLast), { initial: 2 });
  const parameters = start();
  const state = optimizer.initialize(parameters);
  const [gradients, now] = [gradientsAt(1), scheduled(1)];
  const before = tf.memory().numTensors;
  const updated = optimizer.update(parameters, gradients, state, now);
  expect(values(updated.parameters).last).toEqual([3, 4]);
  disposeTensors(updated.parameters, updated.state);
  expect(tf.memory().numTensors).toBe(before);
  expect(() => optimizer.update(parameters, gradients, state, { learningRate: tf.scalar(1) })).toThrow(
    /no schedule named "frozen"/,
  );
});
