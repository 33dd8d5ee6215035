import { describe, expect, it } from 'vitest';
import { batchNormTraining, compile, hasCustomOps, type Tensor, tf } from '../../src/engine/index.js';
import { composedNorm } from '../../src/engine/ops/batch-norm.js';
import { expectAlike, normal } from './close.js';
import { elementaryNorm } from './elementary-norm.js';
import { checkGradient } from './numeric-gradient.js';

type Norm = (
  x: Tensor,
  parameters: { weight: Tensor; bias: Tensor },
  options: { shortcut?: Tensor; relu?: boolean },
) => Tensor;

const ours: Norm = (x, parameters, options) => {
  const channels = x.shape[3]!;
  const running = { mean: tf.zeros([channels]), variance: tf.ones([channels]) } as Record<'mean' | 'variance', Tensor>;
  return batchNormTraining(x, parameters, running, options).y;
};
const twin: Norm = (x, parameters, options) => composedNorm(x, parameters, options).y;

const given = ([weight, bias]: Tensor[]) => ({ weight: weight!, bias: bias! });

function apply(norm: Norm, relu: boolean) {
  return ([x, weight, bias, shortcut]: Tensor[]) => norm(x!, given([weight!, bias!]), { shortcut, relu });
}

/** Value and gradients of a weighted sum. */
function derive(norm: Norm, relu: boolean, inputs: Tensor[], weighting: Tensor): Tensor[] {
  const value = apply(norm, relu);
  const { grads } = tf.valueAndGrads((...given: Tensor[]) => value(given).mul(weighting).sum().asScalar())(inputs);
  return [value(inputs), ...grads];
}

/** Enough rows for several blocks of the op, and a number of channels that no vector divides. */
const shape = [3, 33, 31, 37];
const inputs = (shortcut: boolean) => [
  normal(shape, 'x').mul(3).add(5) as Tensor,
  normal([37], 'weight'),
  normal([37], 'bias'),
  ...(shortcut ? [normal(shape, 'shortcut')] : []),
];

const cases = [true, false].flatMap((relu) => [true, false].map((shortcut) => ({ relu, shortcut })));

describe.each(cases)('batch norm in training with relu $relu, shortcut $shortcut', ({ relu, shortcut }) => {
  it('has its gradient', async () => {
    const small = [[2, 3, 2, 5], [5], [5], ...(shortcut ? [[2, 3, 2, 5]] : [])];
    await checkGradient(apply(ours, relu), small, { twin: apply(elementaryNorm, relu) });
  });

  it('agrees with its twin from TensorFlow ops over many rows', () => {
    const weighting = normal(shape, 'weighting');
    const one = derive(ours, relu, inputs(shortcut), weighting);
    const other = derive(twin, relu, inputs(shortcut), weighting);
    for (const [place, tensor] of one.entries()) expectAlike(tensor, other[place]!, 5e-5);
  });

  it.skipIf(!tf.backend() || !hasCustomOps())('keeps its sums in float32 when it is given bfloat16', async () => {
    const step = compile((inputs: Tensor[], weighting: Tensor) => derive(ours, relu, inputs, weighting), {
      precision: 'bfloat16',
      name: 'normalized',
    });
    const weighting = normal(shape, 'weighting');
    const low = await step(inputs(shortcut), weighting);
    const exact = derive(twin, relu, inputs(shortcut), weighting);
    for (const [place, tensor] of low.entries()) {
      const [a, b] = [tensor, exact[place]!];
      // Some values are rounded to the other side of the relu, so the tensors are compared as a whole.
      expect(a.sub(b).norm().dataSync()[0]! / b.norm().dataSync()[0]!).toBeLessThan(0.06);
    }
    step.dispose();
  });
});

describe('batch norm in training', () => {
  /** Mean and unbiased variance of each channel, in float64. */
  function exactStatistics(x: Tensor) {
    const [values, channels] = [x.dataSync(), x.shape[3]!];
    const rows = values.length / channels;
    const sums = (term: (value: number, c: number) => number) => {
      const sums = new Array<number>(channels).fill(0);
      for (const [i, value] of values.entries()) sums[i % channels]! += term(value, i % channels);
      return sums;
    };
    const mean = sums((value) => value).map((sum) => sum / rows);
    const variance = sums((value, c) => (value - mean[c]!) ** 2).map((sum) => sum / (rows - 1));
    return { mean: tf.tensor1d(mean) as Tensor, variance: tf.tensor1d(variance) as Tensor };
  }

  it.each([10, 1e3, 1e5])(
    'has exact statistics at a mean of %d deviations, and the same bits at every run',
    (center) => {
      const x = normal(shape, 'x').add(center) as Tensor;
      const parameters = given([tf.ones([37]), tf.zeros([37])]);
      const running = { mean: tf.zeros([37]) as Tensor, variance: tf.zeros([37]) as Tensor };
      const runs = [0, 1].map(() => batchNormTraining(x, parameters, running, { momentum: 1 }));
      const exact = exactStatistics(x);
      for (const { mean, variance } of [runs[0]!.running, composedNorm(x, parameters, {})]) {
        expectAlike(mean, exact.mean, 1e-6);
        expectAlike(variance, exact.variance, 1e-5);
      }
      const bits = runs.map(({ y, running }) => [y, running.mean, running.variance].map((tensor) => tensor.dataSync()));
      expect(bits[1]).toEqual(bits[0]);
    },
  );

  it('refuses a shortcut of another shape', () => {
    const running = { mean: tf.zeros([3]) as Tensor, variance: tf.ones([3]) as Tensor };
    const call = () =>
      batchNormTraining(tf.zeros([1, 2, 2, 3]), given([tf.ones([3]), tf.zeros([3])]), running, {
        shortcut: tf.zeros([1, 1, 1, 3]),
      });
    expect(call).toThrow(/shortcut of x's shape, \[1,2,2,3\]; it is \[1,1,1,3\]/);
  });
});
