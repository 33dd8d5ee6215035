import { describe, expect, it } from 'vitest';
import { record } from '../../src/engine/compile/record.js';
import { leavesOf } from '../../src/engine/compile/tree.js';
import {
  batchNormTraining,
  compile,
  conv2d,
  hasCustomOps,
  normConv2d,
  type Tensor,
  tf,
} from '../../src/engine/index.js';
import { normal } from './close.js';

const [batch, side, inside, outside] = [3, 11, 13, 7];
const running = () => ({ mean: tf.zeros([inside]) as Tensor, variance: tf.ones([inside]) as Tensor });
const convolutions = [
  { kernel: 1, stride: 1, padding: 0 },
  { kernel: 1, stride: 2, padding: 0 },
  { kernel: 3, stride: 1, padding: 1 },
  { kernel: 3, stride: 2, padding: 1 },
];

type Inputs = [x: Tensor, weight: Tensor, bias: Tensor, kernel: Tensor];
type Compute = (...inputs: Inputs) => { y: Tensor; running: { mean: Tensor; variance: Tensor } };

/** The convolution's output, the statistics, and gradients of a weighted sum. */
function derive(compute: Compute, inputs: Inputs): Tensor[] {
  const { y, running } = compute(...inputs);
  const weighting = normal(y.shape, 'weighting');
  const loss = (...given: Tensor[]) =>
    compute(...(given as Inputs))
      .y.mul(weighting)
      .sum()
      .asScalar();
  return [y, running.mean, running.variance, ...tf.grads(loss)(inputs)];
}

describe.each(convolutions)('norm, relu and a convolution of $kernel px, stride $stride', (convolution) => {
  const { kernel, ...options } = convolution;
  const together: Compute = (x, weight, bias, filter) =>
    normConv2d(x, { parameters: { weight, bias }, running: running(), momentum: 0.3 }, filter, options);
  const apart: Compute = (x, weight, bias, filter) => {
    const normalized = batchNormTraining(x, { weight, bias }, running(), { relu: true, momentum: 0.3 });
    return { y: conv2d(normalized.y, filter, options), running: normalized.running };
  };
  const inputs = (): Inputs => [
    normal([batch, side, side, inside], 'x').mul(3).add(1) as Tensor,
    normal([inside], 'weight'),
    normal([inside], 'bias'),
    normal([kernel, kernel, inside, outside], 'kernel'),
  ];

  for (const precision of ['float32', 'bfloat16'] as const) {
    it(`give the bits of norm and convolution one after the other, in ${precision}`, async () => {
      const [one, other] = await Promise.all(
        [together, apart].map(async (compute) => {
          const step = compile((...given: Inputs) => derive(compute, given), { precision, name: 'derived' });
          const results = await step(...inputs());
          step.dispose();
          return results.map((tensor) => tensor.dataSync());
        }),
      );
      expect(one!.length).toBe(7);
      for (const [place, values] of one!.entries()) expect(values, `result ${place}`).toEqual(other![place]);
    });
  }
});

describe('norm and convolution', () => {
  it.skipIf(!tf.backend() || !hasCustomOps())('do not keep what lies between them for the way back', () => {
    const inputs: Inputs = [
      tf.ones([2, 4, 4, inside]),
      tf.ones([inside]),
      tf.zeros([inside]),
      tf.ones([1, 1, inside, 3]),
    ];
    const step = (...given: Inputs) =>
      derive(
        (x, weight, bias, filter) => normConv2d(x, { parameters: { weight, bias }, running: running() }, filter),
        given,
      );
    const { program, release } = record('step', step, inputs, leavesOf(inputs, 'input'));
    release();
    const between = program.ops.filter(({ op }) => op === 'PathlabBatchNorm').map(({ outputs }) => outputs[0]!.id);
    const readers = program.ops.filter(({ inputs }) => inputs.some((id) => between.includes(id)));
    expect(between.length).toBeGreaterThan(0);
    expect(new Set(readers.map(({ op }) => op))).toEqual(new Set(['Conv2D']));
  });

  it('refuse what the two refuse', () => {
    const norm = {
      parameters: { weight: tf.ones([2]), bias: tf.zeros([2]) } as Record<'weight' | 'bias', Tensor>,
      running: { mean: tf.zeros([2]) as Tensor, variance: tf.ones([2]) as Tensor },
    };
    expect(() => normConv2d(tf.zeros([1, 1, 1, 2]), norm, tf.zeros([1, 1, 2, 3]))).toThrow(
      /more than one value a channel/,
    );
    expect(() => normConv2d(tf.zeros([2, 2, 2, 2]), norm, tf.zeros([1, 1, 4, 3]))).toThrow(/takes 4 channels/);
  });
});
