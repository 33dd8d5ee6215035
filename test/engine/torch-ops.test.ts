import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  averagePool,
  conv2d,
  crossEntropy,
  depthwiseConv2d,
  dilatedConv2d,
  gather,
  groupNorm,
  l2Normalize,
  maxPool,
  relu6,
  resizeBicubic,
  resizeBilinear,
  silu,
  standardizedConv2d,
  stridedSlice,
  type Tensor,
  tf,
} from '../../src/engine/index.js';
import { hashUniform } from '../fixtures/hash-uniform.js';
import { checkGradient } from './numeric-gradient.js';

interface Reference {
  inputs: number[][];
  shape: number[];
  value: number[];
  gradients: number[][];
}

const references = JSON.parse(
  readFileSync(new URL('../fixtures/torch-ops/ops.json', import.meta.url), 'utf8'),
) as Record<string, Reference>;

const labels = () => tf.tensor1d([2, 0, 255, 4, 1, 255], 'int32');
const classes = () => tf.tensor1d([2, 0, 0, 4, 1, 0], 'int32');
const classWeights = () => tf.tensor1d([0.5, 2, 0, 1, 0.25]);
const ignoreLabel = 255;
const labelSmoothing = 0.1;

const ours: Record<string, (inputs: Tensor[]) => Tensor> = {
  'group norm': ([x, weight, bias]) => groupNorm(x!, { weight: weight!, bias: bias! }, 3),
  'standardized convolution': ([x, w]) => standardizedConv2d(x!, w!, { stride: 2, padding: 1 }),
  'convolution, 1x7': ([x, w]) => conv2d(x!, w!, { padding: [0, 3] }),
  'convolution, padded on two sides': ([x, w]) => conv2d(x!, w!, { stride: 2, padding: [1, 0] }),
  'convolution, same': ([x, w]) => conv2d(x!, w!, { stride: 2, padding: 'same' }),
  'convolution, dilated': ([x, w]) => dilatedConv2d(x!, w!, { dilation: 2, padding: 2 }),
  'convolution, dilated, not padded': ([x, w]) => dilatedConv2d(x!, w!, { dilation: 3 }),
  'convolution, dilated, larger': ([x, w]) => dilatedConv2d(x!, w!, { dilation: 2, padding: 2 }),
  'convolution, dilated beyond the image': ([x, w]) => dilatedConv2d(x!, w!, { dilation: 7, padding: 7 }),
  'depthwise convolution, same': ([x, w]) => depthwiseConv2d(x!, w!, { stride: 2, padding: 'same' }),
  relu6: ([x]) => relu6(x!.mul(20)),
  'average pool': ([x]) => averagePool(x!, { size: 2, stride: 2 }),
  'average pool, padded': ([x]) => averagePool(x!, { size: 3, stride: 2, padding: 1 }),
  'average pool, padding not counted': ([x]) =>
    averagePool(x!, { size: 3, stride: 2, padding: 1, countPadding: false }),
  'max pool': ([x]) => maxPool(x!, { size: 3, stride: 2, padding: 1 }),
  'resize, larger': ([x]) => resizeBilinear(x!, [8, 11]),
  'resize, smaller': ([x]) => resizeBilinear(x!, [3, 4]),
  'resize, one px': ([x]) => resizeBilinear(x!, [4, 1]),
  'bicubic, larger': ([x]) => resizeBicubic(x!, [8, 11]),
  'bicubic, smaller': ([x]) => resizeBicubic(x!, [3, 4]),
  silu: ([x]) => silu(x!),
  'cross entropy': ([x]) => crossEntropy(x!, classes()),
  'cross entropy, smoothed': ([x]) => crossEntropy(x!, classes(), { labelSmoothing }),
  'cross entropy, ignoring': ([x]) => crossEntropy(x!, labels(), { ignoreLabel }),
  'cross entropy, ignoring, smoothed': ([x]) => crossEntropy(x!, labels(), { ignoreLabel, labelSmoothing }),
  'cross entropy, weighted': ([x]) => crossEntropy(x!, classes(), { classWeights: classWeights() }),
  'cross entropy, weighted, ignoring, smoothed': ([x]) =>
    crossEntropy(x!, labels(), { classWeights: classWeights(), ignoreLabel, labelSmoothing }),
  'l2 normalize': ([x]) => l2Normalize(x!),
  'strided slice': ([x]) => stridedSlice(x!, [1, 0, 2], [4, 6, 5], [2, 3, 1]),
  gather: ([x]) => gather(x!, tf.tensor1d([4, 0, 4], 'int32')),
  'gather per sample': ([x]) =>
    gather(
      x!,
      tf.tensor2d(
        [
          [4, 0, 4],
          [1, 2, 3],
        ],
        undefined,
        'int32',
      ),
      { perSample: true },
    ),
};

const sizeOf = (shape: number[]) => shape.reduce((a, b) => a * b, 1);

function expectClose(actual: Tensor, expected: number[], what: string): void {
  expect(actual.size, what).toBe(expected.length);
  const scale = Math.max(...expected.map(Math.abs));
  const values = actual.dataSync();
  for (const [i, value] of expected.entries()) {
    expect(Math.abs(values[i]! - value), `${what} ${i}: ${values[i]} instead of ${value}`).toBeLessThan(2e-6 * scale);
  }
}

describe('as in PyTorch, and with the gradient that differences give', () => {
  it.each(Object.keys(references))('%s', async (name) => {
    const { inputs: shapes, shape, value, gradients } = references[name]!;
    const compute = ours[name]!;
    const inputs = shapes.map((shape, i) => tf.tensor(hashUniform(i + 1, sizeOf(shape)), shape));
    const flowing = tf.tensor(hashUniform(100, value.length), shape);
    const y = compute(inputs);
    expect(y.shape).toEqual(shape);
    expectClose(y, value, 'value');
    const loss = (...tensors: Tensor[]) => compute(tensors).mul(flowing).sum().asScalar();
    for (const [i, gradient] of tf.grads(loss)(inputs).entries()) expectClose(gradient, gradients[i]!, `gradient ${i}`);
    await checkGradient(compute, shapes);
  });
});
