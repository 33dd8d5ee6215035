import { describe, expect, it } from 'vitest';
import {
  attention,
  averagePool,
  batchNormInference,
  batchNormTraining,
  biasActivation,
  conv2d,
  crossEntropy,
  dense,
  depthwiseConv2d,
  dilatedConv2d,
  gelu,
  globalAveragePool,
  groupNorm,
  l2Normalize,
  layerNorm,
  maxPool,
  normConv2d,
  relu,
  relu6,
  resizeBicubic,
  resizeBilinear,
  silu,
  softmaxCrossEntropy,
  standardizedConv2d,
  type Tensor,
  tf,
} from '../../src/engine/index.js';
import { composedMaxPool } from '../../src/engine/ops/pool.js';
import { normal } from './close.js';

/** An op of its inputs, whose shapes stand before it. */
type Case = [shapes: number[][], compute: (inputs: Tensor[]) => Tensor];

const image = [2, 6, 6, 4];
const each = [4];
const running = () => ({ mean: tf.zeros([4]) as Tensor, variance: tf.ones([4]) as Tensor });
const targets = () => tf.oneHot(tf.tensor1d([1, 0], 'int32'), 3).toFloat() as Tensor;

const cases: Record<string, Case> = {
  attention: [[[2, 5, 24]], ([qkv]) => attention(qkv!, { heads: 2 })],
  'average pool': [[image], ([x]) => averagePool(x!, { size: 2, stride: 2 })],
  'batch norm in training': [
    [image, each, each],
    ([x, weight, bias]) => batchNormTraining(x!, { weight: weight!, bias: bias! }, running()).y,
  ],
  'batch norm in inference': [
    [image, each, each],
    ([x, weight, bias]) => batchNormInference(x!, { weight: weight!, bias: bias! }, running()),
  ],
  'bias and gelu': [[image, each], ([x, bias]) => biasActivation(x!, bias!, 'gelu')],
  'bias and relu': [[image, each], ([x, bias]) => biasActivation(x!, bias!, 'relu')],
  convolution: [[image, [3, 3, 4, 5]], ([x, weight]) => conv2d(x!, weight!, { padding: 1 })],
  'dilated convolution': [
    [image, [3, 3, 4, 5]],
    ([x, weight]) => dilatedConv2d(x!, weight!, { dilation: 2, padding: 2 }),
  ],
  'depthwise convolution': [[image, [3, 3, 4, 1]], ([x, weight]) => depthwiseConv2d(x!, weight!, { padding: 1 })],
  'standardized convolution': [[image, [3, 3, 4, 5]], ([x, weight]) => standardizedConv2d(x!, weight!, { padding: 1 })],
  'norm, relu and convolution': [
    [image, each, each, [3, 3, 4, 5]],
    ([x, weight, bias, kernel]) =>
      normConv2d(x!, { parameters: { weight: weight!, bias: bias! }, running: running() }, kernel!, { padding: 1 }).y,
  ],
  dense: [[[2, 4], [3, 4], [3]], ([x, weight, bias]) => dense(x!, weight!, bias!)],
  gelu: [[[2, 5]], ([x]) => gelu(x!)],
  'gelu by tanh': [[[2, 5]], ([x]) => gelu(x!, { approximate: 'tanh' })],
  'global average pool': [[image], ([x]) => globalAveragePool(x!)],
  'group norm': [[image, each, each], ([x, weight, bias]) => groupNorm(x!, { weight: weight!, bias: bias! }, 2)],
  'l2 normalize': [[[3, 4]], ([x]) => l2Normalize(x!)],
  'layer norm': [[image, each, each], ([x, weight, bias]) => layerNorm(x!, { weight: weight!, bias: bias! })],
  'max pool': [[image], ([x]) => maxPool(x!, { size: 3, stride: 2, padding: 1 })],
  'max pool of TensorFlow': [[image], ([x]) => composedMaxPool(x!, { size: 3, stride: 2, padding: 1 })],
  relu: [[[2, 5]], ([x]) => relu(x!)],
  'bilinear resize': [[image], ([x]) => resizeBilinear(x!, [3, 9])],
  'bicubic resize': [[image], ([x]) => resizeBicubic(x!, [3, 9])],
  silu: [[[2, 5]], ([x]) => silu(x!)],
  'softmax cross entropy': [[[2, 3]], ([logits]) => softmaxCrossEntropy(logits!, targets())],
  'cross entropy': [[[2, 3]], ([logits]) => crossEntropy(logits!, tf.tensor1d([1, 0], 'int32'))],
};

const finite = (tensor: Tensor) => [...tensor.dataSync()].every(Number.isFinite);

describe.each(Object.entries(cases))('%s', (_, [shapes, compute]) => {
  const inputs = () => shapes.map((shape, place) => normal(shape, `input ${place}`));
  /** The inputs with one element of one of them replaced. */
  const broken = (place: number, value: number) =>
    inputs().map((input, at) => {
      if (at !== place) return input;
      const values = Float32Array.from(input.dataSync());
      values[Math.floor(values.length / 2)] = value;
      return tf.tensor(values, input.shape) as Tensor;
    });

  it('is finite of what is finite', () => {
    expect(finite(compute(inputs()))).toBe(true);
  });

  it.each(shapes.map((_, place) => place))('lets a NaN and an infinity in input %s through', (place) => {
    expect([...compute(broken(place, Number.NaN)).dataSync()].some(Number.isNaN)).toBe(true);
    expect(finite(compute(broken(place, Number.POSITIVE_INFINITY)))).toBe(false);
  });

  it.each(shapes.map((_, place) => place))('lets a NaN through to the gradient of input %s', (place) => {
    const slope = (given: Tensor[], dy: (y: Tensor) => Tensor) =>
      tf.grads((...parts: Tensor[]) =>
        compute(parts)
          .mul(dy(compute(given)))
          .sum(),
      )(given)[place]!;
    const ones = slope(inputs(), (y) => tf.onesLike(y));
    expect(finite(ones)).toBe(true);
    const noNumber = slope(inputs(), (y) => tf.fill(y.shape, Number.NaN));
    expect([...noNumber.dataSync()].some(Number.isNaN)).toBe(true);
  });
});

it('the maximum of a window with a NaN is NaN, and its slope goes there', () => {
  const x = tf.tensor4d([Number.NaN, 1, 2, 3, 4, 5, 6, 7], [2, 2, 2, 1]);
  for (const pool of [maxPool, composedMaxPool]) {
    const [y] = [pool(x, { size: 2, stride: 2 }).dataSync()];
    expect([...y]).toEqual([Number.NaN, 7]);
  }
  const slope = tf.grad((given: Tensor) => maxPool(given, { size: 2, stride: 2 }).sum())(x);
  expect([...slope.dataSync()]).toEqual([1, 0, 0, 0, 0, 0, 0, 1]);
  expect([...maxPool(tf.fill([1, 2, 2, 1], Number.NaN), { size: 2, stride: 2 }).dataSync()]).toEqual([Number.NaN]);
});

it('relu6 lets a NaN through, and cuts an infinity off', () => {
  const x = tf.tensor1d([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3]);
  expect([...relu6(x).dataSync()]).toEqual([Number.NaN, 6, 0, 3]);
  const slope = tf.grad((given: Tensor) => relu6(given).mul(Number.NaN).sum())(x);
  expect([...slope.dataSync()].every(Number.isNaN)).toBe(true);
});
