import { describe, expect, it } from 'vitest';
import { attention, biasActivation, compile, gelu, momentumUpdate, type Tensor, tf } from '../../src/engine/index.js';
import { type AdamwTensors, adamwUpdate, composedAdamwUpdate } from '../../src/engine/ops/adamw-update.js';
import { composedAttention } from '../../src/engine/ops/attention.js';
import { type Activation, composedBiasActivation, composedGelu } from '../../src/engine/ops/bias-activation.js';
import { composedMomentumUpdate, type MomentumTensors } from '../../src/engine/ops/momentum-update.js';
import { expectAlike, normal } from './close.js';
import { checkGradient } from './numeric-gradient.js';

type Compute = (inputs: Tensor[]) => Tensor;

/** Value and gradients of a weighted sum. */
function derive(compute: Compute, inputs: Tensor[]): Tensor[] {
  const value = compute(inputs);
  const weighting = normal(value.shape, 'weighting');
  const loss = (...given: Tensor[]) => compute(given).mul(weighting).sum().asScalar();
  return [value, ...tf.valueAndGrads(loss)(inputs).grads];
}

/** Compares value and gradients with the twin's: in float32, and with what matrix products of bfloat16 give. */
async function expectTwins(ours: Compute, twin: Compute, inputs: Tensor[], tolerances = { full: 1e-5, low: 0.03 }) {
  const exact = derive(twin, inputs);
  for (const [place, tensor] of derive(ours, inputs).entries()) expectAlike(tensor, exact[place]!, tolerances.full);

  // A matrix product makes the first input low, as in a network.
  const throughProduct: Compute = ([x, ...others]) => {
    const columns = x!.shape.at(-1)!;
    const low = tf.matMul(x!.reshape([-1, columns]), tf.eye(columns)).reshape(x!.shape);
    return ours([low, ...others]);
  };
  const step = compile((given: Tensor[]) => derive(throughProduct, given), { precision: 'bfloat16', name: 'low' });
  for (const [place, tensor] of (await step(inputs)).entries()) expectAlike(tensor, exact[place]!, tolerances.low * 3);
  step.dispose();
}

describe('attention', () => {
  const shapes: [batch: number, tokens: number, heads: number, size: number][] = [
    [1, 1, 1, 4],
    [2, 5, 3, 7],
    [2, 67, 2, 16],
    [1, 197, 2, 64],
    [1, 99, 1, 40],
  ];
  for (const [batch, tokens, heads, size] of shapes) {
    it(`of ${tokens} tokens in ${heads} heads of ${size} agrees with its composed twin`, async () => {
      const qkv = normal([batch, tokens, 3 * heads * size], 'qkv');
      await expectTwins(
        ([qkv]) => attention(qkv!, { heads }),
        ([qkv]) => composedAttention(qkv!, { heads }),
        [qkv],
      );
    });
  }

  it('has its gradient', async () => {
    const heads = 2;
    const twin: Compute = ([qkv]) => composedAttention(qkv!, { heads });
    await checkGradient(([qkv]) => attention(qkv!, { heads }), [[2, 5, 24]], { twin });
    await checkGradient(twin, [[2, 5, 24]]);
  });

  it('is stable where scores are large', () => {
    const qkv = normal([1, 9, 24], 'qkv', 60);
    expectAlike(attention(qkv, { heads: 2 }), composedAttention(qkv, { heads: 2 }), 1e-4);
  });

  it('gives the same bits at every run', () => {
    const qkv = normal([2, 67, 96], 'qkv');
    const run = () => derive(([qkv]) => attention(qkv!, { heads: 2 }), [qkv]).map((tensor) => tensor.dataSync());
    expect(run()).toEqual(run());
  });

  it('refuses heads that do not divide the width', () => {
    expect(() => attention(tf.zeros([1, 2, 24]), { heads: 4 })).not.toThrow();
    expect(() => attention(tf.zeros([1, 2, 24]), { heads: 5 })).toThrow(
      /attention with 5 heads takes .* got \[1,2,24\]/,
    );
  });
});

describe('biasActivation', () => {
  for (const activation of ['relu', 'gelu', 'gelu-tanh'] as Activation[]) {
    it(`${activation} agrees with its composed twin, and has its gradient`, async () => {
      const ours: Compute = ([x, bias]) => biasActivation(x!, bias!, activation);
      const twin: Compute = ([x, bias]) => composedBiasActivation(x!, bias!, activation);
      // TensorFlow's own tanh is an approximation.
      const tolerances = { full: activation === 'gelu-tanh' ? 3e-5 : 1e-5, low: 0.03 };
      await expectTwins(ours, twin, [normal([3, 41, 37], 'x', 2), normal([37], 'bias')], tolerances);
      await checkGradient(ours, [[3, 5], [5]], { twin });
      await checkGradient(twin, [[3, 5], [5]]);
    });
  }

  it('hands on what is not a number, so that it shows', () => {
    for (const activation of ['relu', 'gelu', 'gelu-tanh'] as Activation[]) {
      const y = biasActivation(tf.tensor1d([Number.NaN, 1]), tf.zeros([2]), activation);
      expect(Array.from(y.dataSync(), Number.isNaN), activation).toEqual([true, false]);
    }
  });

  it('refuses a bias of another length and an unknown activation', () => {
    expect(() => biasActivation(tf.zeros([2, 3]), tf.zeros([2]), 'gelu')).toThrow(/so bias is \[3\]; it is \[2\]/);
    expect(() => biasActivation(tf.zeros([2, 3]), tf.zeros([3]), 'swish' as Activation)).toThrow(/knows relu, gelu/);
  });
});

describe('gelu', () => {
  it("gives PyTorch's values", () => {
    const x = tf.tensor1d([-6, -3, -1, -0.1, 0, 0.1, 1, 3, 6]);
    // torch.nn.functional.gelu in float64.
    const exact = [-5.9195e-9, -0.004049694, -0.158655254, -0.046017216, 0, 0.053982784, 0.841344746, 2.995950306, 6];
    const tanh = [0, -0.003637392, -0.158808009, -0.046017119, 0, 0.053982878, 0.841191991, 2.996362608, 6];
    const close = (actual: Tensor, expected: number[]) =>
      actual.dataSync().forEach((value, i) => {
        expect(Math.abs(value - expected[i]!)).toBeLessThan(3e-7 * Math.max(1, Math.abs(expected[i]!)));
      });
    close(gelu(x), exact);
    close(gelu(x, { approximate: 'tanh' }), tanh);
    close(composedGelu(x), exact);
  });

  it('keeps infinities and NaN', () => {
    const values = Array.from(gelu(tf.tensor1d([Number.NaN, Number.POSITIVE_INFINITY, 200, -200])).dataSync());
    expect(values).toEqual([Number.NaN, Number.POSITIVE_INFINITY, 200, -0]);
  });
});

describe('momentumUpdate', () => {
  it.each([0, 0.05])('agrees with its composed twin over steps, with a decay of %d', (weightDecay) => {
    const start = (): MomentumTensors => ({ parameter: normal([70, 501], 'parameter'), velocity: tf.zeros([70, 501]) });
    let [ours, twin] = [start(), start()];
    for (let step = 1; step <= 5; step++) {
      const gradient = normal([70, 501], `gradient ${step}`);
      const given = { momentum: 0.9, learningRate: tf.scalar(0.1), weightDecay };
      ours = momentumUpdate(ours, gradient, given);
      twin = composedMomentumUpdate(twin, gradient, given);
    }
    for (const name of ['parameter', 'velocity'] as const) expectAlike(ours[name], twin[name], 1e-6);
  });

  it('refuses tensors of different shapes', () => {
    const tensors = { parameter: tf.zeros([2, 3]) as Tensor, velocity: tf.zeros([2, 3]) as Tensor };
    const step = { momentum: 0.9, learningRate: tf.scalar(0.1) };
    expect(() => momentumUpdate(tensors, tf.zeros([3, 2]), step)).toThrow(/velocity are \[2,3\], \[3,2\] and \[2,3\]/);
  });
});

describe('adamwUpdate', () => {
  it('agrees with its composed twin over steps', () => {
    const options = (step: number) => ({
      betas: [0.9, 0.999] as const,
      epsilon: 1e-8,
      learningRate: tf.scalar(0.01),
      weightDecay: tf.scalar(0.05),
      step: tf.scalar(step),
    });
    const start = (): AdamwTensors => ({
      parameter: normal([70, 501], 'parameter'),
      first: tf.zeros([70, 501]),
      second: tf.zeros([70, 501]),
    });
    let [ours, twin] = [start(), start()];
    for (let step = 1; step <= 5; step++) {
      const gradient = normal([70, 501], `gradient ${step}`);
      ours = adamwUpdate(ours, gradient, options(step));
      twin = composedAdamwUpdate(twin, gradient, options(step));
    }
    for (const name of ['parameter', 'first', 'second'] as const) expectAlike(ours[name], twin[name], 3e-6);
  });

  it('leaves what it was given as it was', () => {
    const given = { parameter: tf.ones([4]), first: tf.zeros([4]), second: tf.zeros([4]) } as AdamwTensors;
    const scalar = tf.scalar(1) as Tensor;
    adamwUpdate(given, tf.ones([4]), {
      betas: [0.9, 0.999],
      epsilon: 1e-8,
      learningRate: scalar,
      weightDecay: scalar,
      step: scalar,
    });
    expect(Array.from(given.parameter.dataSync())).toEqual([1, 1, 1, 1]);
    expect(Array.from(given.first.dataSync())).toEqual([0, 0, 0, 0]);
  });
});
