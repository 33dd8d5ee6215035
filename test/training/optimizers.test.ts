import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Tensors, tf } from '../../src/engine/index.js';
import { lars, type Optimizer, sgd, warmupCosine } from '../../src/training/index.js';
import { hashUniform } from '../fixtures/hash-uniform.js';

const { shapes, results } = JSON.parse(
  readFileSync(new URL('../fixtures/torch-optimizers/optimizers.json', import.meta.url), 'utf8'),
) as { shapes: Record<string, number[]>; results: Record<string, Record<string, number[]>> };

const draw = (stream: (index: number) => number): Tensors =>
  Object.fromEntries(
    Object.entries(shapes).map(([name, shape], index) => {
      const count = shape.reduce((a, b) => a * b, 1);
      return [name, tf.tensor(hashUniform(stream(index), count), shape)];
    }),
  );

function run(optimizer: Optimizer): Tensors {
  let parameters = draw((index) => index + 1);
  let state = optimizer.initialize(parameters);
  for (let step = 0; step < 20; step++) {
    const gradients = draw((index) => 1000 + 10 * step + index);
    ({ parameters, state } = optimizer.update(parameters, gradients, state, tf.scalar(0.1 + 0.02 * step)));
  }
  return parameters;
}

describe('twenty steps as in PyTorch and timm', () => {
  const optimizers: Record<string, Optimizer> = {
    sgd: sgd(),
    'sgd momentum': sgd({ momentum: 0.9 }),
    'sgd momentum decay': sgd({ momentum: 0.9, weightDecay: 1e-2 }),
    'sgd nesterov': sgd({ momentum: 0.9, weightDecay: 1e-2, nesterov: true }),
    lars: lars({ momentum: 0.9, weightDecay: 1e-2, trustCoefficient: 0.02 }),
    'lars published': lars({ momentum: 0.9, weightDecay: 1e-6 }),
  };
  it.each(Object.keys(results))('%s', (name) => {
    const parameters = run(optimizers[name]!);
    for (const [parameter, expected] of Object.entries(results[name]!)) {
      const actual = parameters[parameter]!.dataSync();
      const norm = Math.hypot(...expected);
      const difference = Math.hypot(...expected.map((value, index) => value - actual[index]!));
      expect(difference / norm, parameter).toBeLessThan(1e-6);
    }
  });
});

describe('lars', () => {
  const parameters = () => ({ weight: tf.ones([2, 2]), bias: tf.ones([2]) });
  const step = (optimizer: Optimizer, gradients: Tensors) => {
    const start = parameters();
    return optimizer.update(start, gradients, optimizer.initialize(start), tf.scalar(1)).parameters;
  };

  it("makes the step of a layer as long as its weights say, whatever the gradient's size", () => {
    for (const size of [1e-3, 1, 1e3]) {
      const after = step(lars({ trustCoefficient: 0.1 }), { weight: tf.fill([2, 2], size), bias: tf.fill([2], 0.5) });
      expect(after.weight!.dataSync()[0]).toBeCloseTo(0.9, 4);
    }
  });

  it('leaves biases and norms to plain steps', () => {
    const after = step(lars({ trustCoefficient: 0.1, weightDecay: 0.3 }), {
      weight: tf.ones([2, 2]),
      bias: tf.fill([2], 0.5),
    });
    expect(Array.from(after.bias!.dataSync())).toEqual([0.5, 0.5]);
  });

  it('moves a layer of zeros', () => {
    const optimizer = lars();
    const zeros = { weight: tf.zeros([2, 2]) };
    const gradients = { weight: tf.ones([2, 2]) };
    const after = optimizer.update(zeros, gradients, optimizer.initialize(zeros), tf.scalar(1)).parameters;
    expect(Array.from(after.weight!.dataSync())).toEqual([-1, -1, -1, -1]);
  });
});

describe('sgd', () => {
  it('refuses Nesterov without momentum', () => {
    expect(() => sgd({ nesterov: true })).toThrow(/momentum above 0/);
  });

  it('spares what is excluded from decay', () => {
    const optimizer = sgd({ weightDecay: 0.5, exclude: (name) => name === 'bias' });
    const parameters = { weight: tf.ones([1]), bias: tf.ones([1]) };
    const zeros = { weight: tf.zeros([1]), bias: tf.zeros([1]) };
    const after = optimizer.update(parameters, zeros, {}, tf.scalar(1)).parameters;
    expect([after.weight!.dataSync()[0], after.bias!.dataSync()[0]]).toEqual([0.5, 1]);
  });

  it('names a gradient that is missing', () => {
    expect(() => sgd().update({ weight: tf.ones([1]) }, {}, {}, tf.scalar(1))).toThrow(/"weight"/);
  });
});

describe('warmupCosine', () => {
  it('rises to its peak and falls to almost nothing', () => {
    const rate = warmupCosine({ peak: 0.6, warmupSteps: 10, steps: 110 });
    expect(rate(0)).toBeCloseTo(0.06, 10);
    expect(rate(9)).toBeCloseTo(0.6, 10);
    expect(rate(10)).toBeCloseTo(0.6, 10);
    expect(rate(60)).toBeCloseTo(0.3, 10);
    expect(rate(109)).toBeGreaterThan(0);
    expect(rate(109)).toBeLessThan(0.001);
    for (let step = 10; step < 109; step++) expect(rate(step + 1)).toBeLessThan(rate(step));
  });

  it('refuses a warm-up that takes it all', () => {
    expect(() => warmupCosine({ peak: 1, warmupSteps: 5, steps: 5 })).toThrow(/leaves nothing of 5/);
  });
});
