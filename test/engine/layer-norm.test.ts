import { describe, expect, it } from 'vitest';
import { compile, hasCustomOps, layerNorm, type Tensor, tf } from '../../src/engine/index.js';
import { composedLayerNorm } from '../../src/engine/ops/layer-norm.js';
import { expectAlike, normal } from './close.js';
import { checkGradient } from './numeric-gradient.js';

type LayerNorm = typeof layerNorm;

/** Value and gradients of a weighted sum. */
function derive(norm: LayerNorm, inputs: Tensor[], weighting: Tensor) {
  const value = ([x, weight, bias]: Tensor[]) => norm(x!, { weight: weight!, bias: bias! }, { epsilon: 1e-6 });
  const { grads } = tf.valueAndGrads((...given: Tensor[]) => value(given).mul(weighting).sum().asScalar())(inputs);
  return [value(inputs), ...grads];
}

describe('layerNorm', () => {
  const inputs = () => [normal([3, 67, 40], 'x').mul(3).add(5), normal([40], 'weight'), normal([40], 'bias')];

  it('gives rows of mean 0 and variance 1 when weight is 1 and bias 0', () => {
    const y = layerNorm(inputs()[0]!, { weight: tf.ones([40]), bias: tf.zeros([40]) });
    const { mean, variance } = tf.moments(y, -1);
    expectAlike(mean.add(1), tf.ones([3, 67]), 1e-5);
    expectAlike(variance, tf.ones([3, 67]), 1e-4);
  });

  it('has its gradient', async () => {
    await checkGradient(([x, weight, bias]) => layerNorm(x!, { weight: weight!, bias: bias! }), [[3, 5, 7], [7], [7]], {
      twin: ([x, weight, bias]) => composedLayerNorm(x!, { weight: weight!, bias: bias! }),
    });
    await checkGradient(
      ([x, weight, bias]) => composedLayerNorm(x!, { weight: weight!, bias: bias! }),
      [[3, 5, 7], [7], [7]],
    );
  });

  it('agrees with its composed twin over many rows', () => {
    const weighting = normal([3, 67, 40], 'weighting');
    const ours = derive(layerNorm, inputs(), weighting);
    const twins = derive(composedLayerNorm, inputs(), weighting);
    for (const [place, tensor] of ours.entries()) expectAlike(tensor, twins[place]!, 1e-5);
  });

  it.skipIf(!tf.backend() || !hasCustomOps())('sums in float32 when it is given bfloat16', async () => {
    // A matrix product makes x low, as in a network.
    const step = compile(
      function normalized(x: Tensor, weight: Tensor, bias: Tensor, weighting: Tensor) {
        const identity = tf.eye(40);
        const low = (x: Tensor) => tf.matMul(x.reshape([-1, 40]), identity).reshape(x.shape);
        return derive((x, ...rest) => layerNorm(low(x), ...rest), [x, weight, bias], weighting);
      },
      { precision: 'bfloat16' },
    );
    const [x, weight, bias] = inputs() as [Tensor, Tensor, Tensor];
    const weighting = normal([3, 67, 40], 'weighting');
    const ours = await step(x, weight, bias, weighting);
    const exact = derive(composedLayerNorm, [x, weight, bias], weighting);
    // bfloat16 has 8 bits: x near 5 is off by 0.02, and its deviation is 3.
    for (const [place, tensor] of ours.entries()) expectAlike(tensor, exact[place]!, 0.05);
    step.dispose();
  });

  it('gives the same bits at every run', () => {
    const weighting = normal([3, 67, 40], 'weighting');
    const [first, second] = [0, 1].map(() => derive(layerNorm, inputs(), weighting).map((tensor) => tensor.dataSync()));
    expect(second).toEqual(first);
  });

  it('refuses a weight of another length', () => {
    expect(() => layerNorm(tf.zeros([2, 4]), { weight: tf.ones([3]), bias: tf.zeros([4]) })).toThrow(
      /x is \[2,4\], so weight and bias are \[4\]; they are \[3\] and \[4\]/,
    );
  });
});
