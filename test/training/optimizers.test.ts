import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { imagesOfDecoded } from '../../src/augment/index.js';
import { record } from '../../src/engine/compile/record.js';
import { leavesOf } from '../../src/engine/compile/tree.js';
import { compile, gradients, type Tensor, type Tensors, tf, uploadBytes } from '../../src/engine/index.js';
import type { ModelTensors } from '../../src/models/index.js';
import {
  accumulateGradients,
  adamw,
  clipGradients,
  cosine,
  lars,
  movingAverage,
  multiStep,
  type Optimizer,
  sgd,
  warmupCosine,
  withWarmup,
} from '../../src/training/index.js';
import { hashUniform } from '../fixtures/hash-uniform.js';

const { shapes, results, schedules } = JSON.parse(
  readFileSync(new URL('../fixtures/torch-optimizers/optimizers.json', import.meta.url), 'utf8'),
) as {
  shapes: Record<string, number[]>;
  results: Record<string, Record<string, number[]>>;
  schedules: Record<string, number[]>;
};

const draw = (stream: (index: number) => number): Tensors =>
  Object.fromEntries(
    Object.entries(shapes).map(([name, shape], index) => {
      const count = shape.reduce((a, b) => a * b, 1);
      return [name, tf.tensor(hashUniform(stream(index), count), shape)];
    }),
  );

interface Run {
  optimizer: Optimizer;
  rate?: (step: number) => number;
  change?: (gradients: Tensors) => Tensors;
  /** Of the moving average that is then given. */
  decay?: number;
}

function run({ optimizer, rate = (step) => 0.1 + 0.02 * step, change = (same) => same, decay }: Run): Tensors {
  let parameters = draw((index) => index + 1);
  let average = parameters;
  let state = optimizer.initialize(parameters);
  for (let step = 0; step < 20; step++) {
    const gradients = change(draw((index) => 1000 + 10 * step + index));
    ({ parameters, state } = optimizer.update(parameters, gradients, state, { learningRate: tf.scalar(rate(step)) }));
    if (decay) average = movingAverage(average, parameters, { decay });
  }
  return decay ? average : parameters;
}

function expectSame(parameters: Tensors, expected: Record<string, number[]>): void {
  expect(Object.keys(parameters)).toEqual(Object.keys(expected));
  for (const [parameter, values] of Object.entries(expected)) {
    const actual = parameters[parameter]!.dataSync();
    const difference = Math.hypot(...values.map((value, index) => value - actual[index]!));
    expect(difference / Math.hypot(...values), parameter).toBeLessThan(1e-6);
  }
}

describe('twenty steps as in PyTorch and timm', () => {
  const rate = (step: number) => 0.01 + 0.002 * step;
  const plain = adamw({ weightDecay: 0 });
  const runs: Record<string, Run> = {
    sgd: { optimizer: sgd() },
    'sgd momentum': { optimizer: sgd({ momentum: 0.9 }) },
    'sgd momentum decay': { optimizer: sgd({ momentum: 0.9, weightDecay: 1e-2 }) },
    lars: { optimizer: lars({ momentum: 0.9, weightDecay: 1e-2, trustCoefficient: 0.02 }) },
    'lars published': { optimizer: lars({ momentum: 0.9, weightDecay: 1e-6 }) },
    adamw: { optimizer: plain, rate },
    'adamw decay': { optimizer: adamw({ weightDecay: 0.1, exclude: () => false }), rate },
    'adamw published': { optimizer: adamw({ weightDecay: 5e-5, betas: [0.9, 0.95], epsilon: 1e-6 }), rate },
    'adamw clipped': { optimizer: plain, rate, change: (gradients) => clipGradients(gradients, 1) },
    'adamw averaged': { optimizer: plain, rate, decay: 0.9 },
  };
  it.each(Object.keys(results))('%s', (name) => {
    expectSame(run(runs[name]!), results[name]!);
  });
});

describe('adamw', () => {
  const parameters = { weight: tf.ones([2, 2]), bias: tf.ones([2]) };
  const gradients = { weight: tf.zeros([2, 2]), bias: tf.zeros([2]) };

  it('spares biases and norms from decay, or what it is told by name', () => {
    const decayed = (optimizer: Optimizer, weightDecay?: Tensor) => {
      const after = optimizer.update(parameters, gradients, optimizer.initialize(parameters), {
        learningRate: tf.scalar(0.5),
        weightDecay,
      }).parameters;
      return [after.weight!.dataSync()[0], after.bias!.dataSync()[0]];
    };
    expect(decayed(adamw({ weightDecay: 0.5 }))).toEqual([0.75, 1]);
    expect(decayed(adamw({ weightDecay: 0.5, exclude: (name) => name === 'weight' }))).toEqual([1, 0.75]);
    // A decay that follows a schedule goes before the setting.
    expect(decayed(adamw({ weightDecay: 0.1 }), tf.scalar(0.5))).toEqual([0.75, 1]);
  });

  it('refuses what is not a weight', () => {
    expect(() => adamw({ betas: [0.9, 1] })).toThrow(/beta2 is at least 0 and below 1; got 1/);
  });

  it('leaves nothing behind', () => {
    const optimizer = adamw();
    const state = optimizer.initialize(parameters);
    const rate = { learningRate: tf.scalar(0.5) };
    const before = tf.memory().numTensors;
    const updated = optimizer.update(parameters, gradients, state, rate);
    // Two parameters, two means of each, the step.
    expect(tf.memory().numTensors).toBe(before + 7);
    tf.dispose([updated]);
  });
});

describe('clipGradients', () => {
  it('leaves small gradients alone', () => {
    const { a, b } = clipGradients({ a: tf.tensor1d([3]), b: tf.tensor1d([4]) }, 10);
    expect([a!, b!].map((tensor) => tensor.dataSync()[0])).toEqual([3, 4]);
  });

  it('clips each parameter by its own norm when asked', () => {
    const gradients = { a: tf.tensor1d([3, 4]), b: tf.tensor1d([0, 1]) };
    const each = clipGradients(gradients, 2, 'each');
    expect(each.a!.dataSync()[1]).toBeCloseTo(1.6, 5);
    expect(Array.from(each.b!.dataSync())).toEqual([0, 1]);
    const all = clipGradients(gradients, 2);
    expect(all.b!.dataSync()[1]).toBeCloseTo(2 / Math.sqrt(26), 5);
  });

  it('refuses a norm of nothing', () => {
    expect(() => clipGradients({ a: tf.ones([1]) }, 0)).toThrow(/above 0; got 0/);
  });
});

describe('accumulateGradients', () => {
  const model = (count: Tensor) => ({ parameters: { weight: tf.tensor1d([1, -2, 3]) }, state: { count } });
  const batch = { x: tf.tensor2d(hashUniform(1, 24), [8, 3]), y: tf.tensor1d(hashUniform(2, 8)) };
  const compute = ({ parameters, state }: ModelTensors, { x, y }: Tensors, number: number) => ({
    loss: x!.mul(parameters.weight!).sum(1).sub(y!).square().mean() as Tensor,
    state: { count: state.count!.add(1) as Tensor },
    metrics: { number: x!.max().mul(0).add(number) as Tensor, largest: x!.max() as Tensor },
  });

  it.each([1, 2, 4])('in %i micro-batches are those of the batch, also compiled', async (microBatches) => {
    const step = (start: ModelTensors, batch: Tensors) => accumulateGradients(start, batch, { microBatches }, compute);
    const { parameters } = model(tf.scalar(0));
    const whole = gradients(parameters, (parameters) => ({
      loss: compute({ parameters, state: { count: tf.scalar(0) } }, batch, 0).loss,
    }));
    const compiled = compile(step, { name: 'accumulate' });
    for (const result of [step(model(tf.scalar(3)), batch), await compiled(model(tf.scalar(3)), batch)]) {
      expect(result.loss.dataSync()[0]).toBeCloseTo(whole.loss.dataSync()[0]!, 6);
      for (const [i, value] of whole.gradients.weight!.dataSync().entries()) {
        expect(result.gradients.weight!.dataSync()[i]).toBeCloseTo(value, 5);
      }
      expect(result.state.count!.dataSync()[0]).toBe(3 + microBatches);
      expect(result.metrics.number!.dataSync()[0]).toBe((microBatches - 1) / 2);
    }
    compiled.dispose();
  });

  it('takes the micro-batches one after the other', () => {
    const inputs = [model(tf.scalar(0)), batch] as const;
    const step = (start: ModelTensors, batch: Tensors) =>
      accumulateGradients(start, batch, { microBatches: 4 }, compute).loss;
    const { program, release } = record('micro-batches', step, [...inputs], leavesOf(inputs, 'input'));
    release();
    // The longest way through the program passes one loss after the other.
    const depth = new Map<number, number>();
    for (const { op, inputs, outputs } of program.ops) {
      const before = Math.max(0, ...inputs.map((id) => depth.get(id) ?? 0));
      for (const { id } of outputs) depth.set(id, before + (op === 'Square' ? 1 : 0));
    }
    expect(Math.max(...depth.values())).toBe(4);
  });

  it('cuts bytes and strings too', () => {
    const texts = tf.tensor1d(['a', 'b', 'c', 'd'], 'string');
    const bytes = uploadBytes(Uint8Array.of(1, 2, 3, 4), [4]);
    const seen: unknown[] = [];
    accumulateGradients(model(tf.scalar(0)), { texts, bytes } as Tensors, { microBatches: 2 }, (start, batch) => {
      seen.push([...batch.texts!.dataSync()], [...imagesOfDecoded(batch.bytes!).mul(255).dataSync()]);
      return { loss: start.parameters.weight!.sum() as Tensor, state: start.state };
    });
    expect(seen).toEqual([
      ['a', 'b'],
      [1, 2],
      ['c', 'd'],
      [3, 4],
    ]);
  });

  it('refuses micro-batches of several sizes', () => {
    const take = (microBatches: number, batch: Tensors) =>
      accumulateGradients(model(tf.scalar(0)), batch, { microBatches }, compute);
    expect(() => take(3, batch)).toThrow(/a batch of \[8,8\] cannot be split into 3 equal micro-batches/);
    expect(() => take(2, { ...batch, y: tf.ones([4]) })).toThrow(/a batch of \[8,4\]/);
    expect(() => take(0, batch)).toThrow(/0 equal micro-batches/);
  });
});

describe('lars', () => {
  const parameters = () => ({ weight: tf.ones([2, 2]), bias: tf.ones([2]) });
  const step = (optimizer: Optimizer, gradients: Tensors) => {
    const start = parameters();
    return optimizer.update(start, gradients, optimizer.initialize(start), { learningRate: tf.scalar(1) }).parameters;
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

  it('takes steps without momentum, and then has no state', () => {
    const optimizer = lars({ momentum: 0, trustCoefficient: 0.1 });
    const start = parameters();
    const gradients = { weight: tf.ones([2, 2]), bias: tf.fill([2], 0.5) };
    const after = optimizer.update(start, gradients, optimizer.initialize(start), { learningRate: tf.scalar(1) });
    expect(after.parameters.weight!.dataSync()[0]).toBeCloseTo(0.9, 4);
    expect(Array.from(after.parameters.bias!.dataSync())).toEqual([0.5, 0.5]);
    expect(after.state).toEqual({});
  });

  it('moves a layer of zeros', () => {
    const optimizer = lars();
    const zeros = { weight: tf.zeros([2, 2]) };
    const gradients = { weight: tf.ones([2, 2]) };
    const after = optimizer.update(zeros, gradients, optimizer.initialize(zeros), {
      learningRate: tf.scalar(1),
    }).parameters;
    expect(Array.from(after.weight!.dataSync())).toEqual([-1, -1, -1, -1]);
  });
});

describe('sgd', () => {
  it('spares what is excluded from decay', () => {
    const optimizer = sgd({ weightDecay: 0.5, exclude: (name) => name === 'bias' });
    const parameters = { weight: tf.ones([1]), bias: tf.ones([1]) };
    const zeros = { weight: tf.zeros([1]), bias: tf.zeros([1]) };
    const after = optimizer.update(parameters, zeros, {}, { learningRate: tf.scalar(1) }).parameters;
    expect([after.weight!.dataSync()[0], after.bias!.dataSync()[0]]).toEqual([0.5, 1]);
  });

  it('names a gradient that is missing', () => {
    expect(() => sgd().update({ weight: tf.ones([1]) }, {}, {}, { learningRate: tf.scalar(1) })).toThrow(/"weight"/);
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

  it('may end above 0', () => {
    const rate = warmupCosine({ peak: 0.6, warmupSteps: 0, steps: 10, end: 0.1 });
    expect(rate(0)).toBeCloseTo(0.6, 10);
    expect(rate(5)).toBeCloseTo(0.35, 10);
    expect(rate(10)).toBeCloseTo(0.1, 10);
  });

  it('refuses a warm-up that takes it all', () => {
    expect(() => warmupCosine({ peak: 1, warmupSteps: 5, steps: 5 })).toThrow(/but the training has only 5/);
  });
});

describe('schedules', () => {
  const rates = (schedule: (step: number) => number) => Array.from({ length: 12 }, (_, step) => schedule(step));
  const expectRates = (schedule: (step: number) => number, expected: number[]) => {
    for (const [step, rate] of rates(schedule).entries()) expect(rate).toBeCloseTo(expected[step]!, 12);
  };

  it("are PyTorch's", () => {
    expectRates(cosine({ from: 0.3, to: 0.01, steps: 12 }), schedules.cosine!);
    expectRates(multiStep({ rate: 0.3, milestones: [3, 7], gamma: 0.2 }), schedules.multiStep!);
  });

  it('stay at their end', () => {
    const decay = cosine({ from: 0.99, to: 1, steps: 10 });
    expect([decay(0), decay(10), decay(11)]).toEqual([0.99, 1, 1]);
  });

  it('begin after their warm-up', () => {
    const rate = withWarmup(multiStep({ rate: 1, milestones: [2], gamma: 0.5 }), 4);
    expect(rates(rate)).toEqual([0.25, 0.5, 0.75, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]);
  });
});
