import { describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import {
  batchNormInference,
  batchNormTraining,
  conv2d,
  dense,
  globalAveragePool,
  l2Normalize,
  maxPool,
  relu,
  softmaxCrossEntropy,
  type Tensor,
  tf,
} from '../../src/engine/index.js';
import { checkGradient } from './numeric-gradient.js';

const values = (tensor: Tensor) => Array.from(tensor.dataSync());

/** The definition, written as loops. */
function convolve(x: Tensor, w: Tensor, stride: number, padding: number): { shape: number[]; values: number[] } {
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  const [kernelHeight, kernelWidth, , out] = w.shape as [number, number, number, number];
  const [xs, ws] = [x.dataSync(), w.dataSync()];
  const rows = Math.floor((height + 2 * padding - kernelHeight) / stride) + 1;
  const columns = Math.floor((width + 2 * padding - kernelWidth) / stride) + 1;
  const y: number[] = [];
  for (let b = 0; b < batch; b++)
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++)
        for (let o = 0; o < out; o++) {
          let sum = 0;
          for (let u = 0; u < kernelHeight; u++)
            for (let v = 0; v < kernelWidth; v++) {
              const [r, c] = [i * stride + u - padding, j * stride + v - padding];
              if (r < 0 || c < 0 || r >= height || c >= width) continue;
              for (let k = 0; k < channels; k++)
                sum +=
                  xs[((b * height + r) * width + c) * channels + k]! *
                  ws[((u * kernelWidth + v) * channels + k) * out + o]!;
            }
          y.push(sum);
        }
  return { shape: [batch, rows, columns, out], values: y };
}

function normal(shape: number[], name: string): Tensor {
  const random = key(name).generator();
  return tf.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
    shape,
  );
}

function expectClose(actual: Tensor, expected: number[], tolerance = 1e-5): void {
  expect(actual.size).toBe(expected.length);
  const worst = Math.max(...values(actual).map((value, i) => Math.abs(value - expected[i]!)));
  expect(worst).toBeLessThan(tolerance);
}

describe('conv2d', () => {
  const cases = [
    { kernel: 3, stride: 1, padding: 1 },
    { kernel: 3, stride: 2, padding: 1 },
    { kernel: 7, stride: 2, padding: 3 },
    { kernel: 1, stride: 1, padding: 0 },
    { kernel: 1, stride: 2, padding: 0 },
    { kernel: 3, stride: 1, padding: 0 },
    { kernel: 3, stride: 1, padding: 2 },
  ];
  for (const { kernel, stride, padding } of cases) {
    for (const size of [8, 9]) {
      it(`kernel ${kernel}, stride ${stride}, padding ${padding}, ${size} px: value and gradients`, async () => {
        const x = normal([2, size, size, 3], 'x');
        const w = normal([kernel, kernel, 3, 4], 'w');
        const expected = convolve(x, w, stride, padding);
        const y = conv2d(x, w, { stride, padding });
        expect(y.shape).toEqual(expected.shape);
        expectClose(y, expected.values, 1e-4);
        await checkGradient(([x, w]) => conv2d(x!, w!, { stride, padding }), [x.shape, w.shape]);
      });
    }
  }

  it('refuses a weight for another number of channels', () => {
    expect(() => conv2d(tf.zeros([1, 4, 4, 3]), tf.zeros([3, 3, 4, 8]))).toThrow(/4 channels/);
  });

  it('computes no gradient that nobody asked for', () => {
    const x = tf.zeros([1, 8, 8, 3]);
    const before = tf.memory().numTensors;
    const shapes: string[] = [];
    const w = tf.zeros([3, 3, 3, 2]);
    const backend = tf.backend() as unknown as { executeMultipleOutputs: (name: string) => unknown };
    const execute = backend.executeMultipleOutputs;
    backend.executeMultipleOutputs = function (this: unknown, ...call: [string]) {
      shapes.push(call[0]);
      return execute.apply(this, call);
    };
    try {
      tf.dispose(tf.valueAndGrad((w: Tensor) => conv2d(x, w, { padding: 1 }).sum().asScalar())(w));
    } finally {
      backend.executeMultipleOutputs = execute;
    }
    expect(shapes).toContain('Conv2DBackpropFilter');
    expect(shapes).not.toContain('Conv2DBackpropInput');
    expect(tf.memory().numTensors).toBe(before + 1);
  });
});

describe('batch norm', () => {
  const running = () => ({ mean: tf.tensor1d([0.5, -1, 2]), variance: tf.tensor1d([1, 2, 3]) });

  it('normalizes with the biased variance and keeps the unbiased one', () => {
    const x = normal([2, 2, 3, 3], 'x');
    const weight = tf.tensor1d([1, 2, 3]);
    const bias = tf.tensor1d([0, 1, -1]);
    const { y, running: after } = batchNormTraining(x, { weight, bias }, running());
    const xs = values(x);
    const perChannel = [0, 1, 2].map((c) => xs.filter((_, i) => i % 3 === c));
    const mean = perChannel.map((v) => v.reduce((a, b) => a + b) / 12);
    const biased = perChannel.map((v, c) => v.reduce((a, b) => a + (b - mean[c]!) ** 2, 0) / 12);
    expectClose(
      y,
      xs.map(
        (v, i) => ((v - mean[i % 3]!) / Math.sqrt(biased[i % 3]! + 1e-5)) * [1, 2, 3][i % 3]! + [0, 1, -1][i % 3]!,
      ),
    );
    expectClose(
      after.mean,
      mean.map((m, c) => 0.9 * [0.5, -1, 2][c]! + 0.1 * m),
      1e-6,
    );
    expectClose(
      after.variance,
      biased.map((v, c) => 0.9 * [1, 2, 3][c]! + 0.1 * v * (12 / 11)),
      1e-6,
    );
  });

  it('has right gradients in training', async () => {
    await checkGradient(
      ([x, weight, bias]) => batchNormTraining(x!, { weight: weight!, bias: bias! }, running()).y,
      [[4, 3, 3, 3], [3], [3]],
      {
        twin: ([x, weight, bias]) => {
          const { mean, variance } = tf.moments(x!, [0, 1, 2]);
          return x!.sub(mean).div(variance.add(1e-5).sqrt()).mul(weight!).add(bias!);
        },
      },
    );
  });

  it('has right value and gradients with fixed statistics', async () => {
    const x = normal([2, 2, 2, 3], 'x');
    const y = batchNormInference(x, { weight: tf.ones([3]), bias: tf.zeros([3]) }, running());
    expectClose(
      y,
      values(x).map((v, i) => (v - [0.5, -1, 2][i % 3]!) / Math.sqrt([1, 2, 3][i % 3]! + 1e-5)),
    );
    await checkGradient(
      ([x, weight, bias]) => batchNormInference(x!, { weight: weight!, bias: bias! }, running()),
      [[2, 3, 3, 3], [3], [3]],
    );
  });

  it('refuses a single value a channel', () => {
    const parameters = { weight: tf.ones([3]), bias: tf.zeros([3]) };
    expect(() => batchNormTraining(tf.zeros([1, 1, 1, 3]), parameters, running())).toThrow(/more than one value/);
  });

  it('leaves no tensor behind', () => {
    const x = normal([2, 2, 2, 3], 'x');
    const parameters = { weight: tf.ones([3]), bias: tf.zeros([3]) };
    const statistics = running();
    const before = tf.memory().numTensors;
    const { y, running: after } = batchNormTraining(x, parameters, statistics);
    tf.dispose([y, after.mean, after.variance]);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('relu', () => {
  it('is max(x, 0)', () => {
    expect(values(relu(tf.tensor1d([-2, 0, 3])))).toEqual([0, 0, 3]);
  });

  it('has the right gradient', () => {
    const x = tf.tensor1d([-2, 0, 3]);
    expect(
      values(
        tf.grad((x: Tensor) =>
          relu(x)
            .mul(tf.tensor1d([5, 6, 7]))
            .sum(),
        )(x),
      ),
    ).toEqual([0, 0, 7]);
  });
});

describe('pooling', () => {
  it('takes the maximum, and padding never wins', () => {
    const x = tf.tensor4d([-1, -2, -3, -4, -5, -6, -7, -8, -9], [1, 3, 3, 1]);
    const y = maxPool(x, { size: 3, stride: 2, padding: 1 });
    expect(y.shape).toEqual([1, 2, 2, 1]);
    expect(values(y)).toEqual([-1, -2, -4, -5]);
  });

  it('has the right gradient', async () => {
    await checkGradient(([x]) => maxPool(x!, { size: 3, stride: 2, padding: 1 }), [[2, 6, 6, 2]]);
  });

  it('averages over space', async () => {
    const x = normal([2, 3, 4, 5], 'x');
    expect(globalAveragePool(x).shape).toEqual([2, 5]);
    await checkGradient(([x]) => globalAveragePool(x!), [[2, 3, 4, 5]]);
  });
});

describe('dense', () => {
  it('is x W^T + b', async () => {
    const y = dense(
      tf.tensor2d([[1, 2]]),
      tf.tensor2d([
        [3, 4],
        [5, 6],
        [7, 8],
      ]),
      tf.tensor1d([1, 0, -1]),
    );
    expect(values(y)).toEqual([12, 17, 22]);
    await checkGradient(([x, w, b]) => dense(x!, w!, b!), [[3, 4], [5, 4], [5]]);
  });
});

describe('l2Normalize', () => {
  it('gives unit rows, and zero for zero', async () => {
    expectClose(
      l2Normalize(
        tf.tensor2d([
          [3, 4],
          [0, 0],
        ]),
      ),
      [0.6, 0.8, 0, 0],
      1e-6,
    );
    await checkGradient(([x]) => l2Normalize(x!), [[4, 6]]);
  });
});

describe('softmaxCrossEntropy', () => {
  it('agrees with the definition', () => {
    const loss = softmaxCrossEntropy(tf.tensor2d([[1, 2, 3]]), tf.tensor2d([[0, 0.25, 0.75]]));
    const logSum = Math.log(Math.exp(1) + Math.exp(2) + Math.exp(3));
    expectClose(loss, [0.25 * (logSum - 2) + 0.75 * (logSum - 3)], 1e-6);
  });

  it('does not overflow', () => {
    const loss = softmaxCrossEntropy(tf.tensor2d([[1e4, 0, -1e4]]), tf.tensor2d([[0, 1, 0]]));
    expect(values(loss)).toEqual([1e4]);
  });

  it('has the right gradient', async () => {
    const targets = tf.oneHot(tf.tensor1d([0, 2, 1], 'int32'), 3).toFloat();
    await checkGradient(([logits]) => softmaxCrossEntropy(logits!, targets), [[3, 3]]);
  });

  it('refuses targets of another shape', () => {
    expect(() => softmaxCrossEntropy(tf.zeros([2, 3]), tf.zeros([2, 4]))).toThrow(/\[2,3\] and \[2,4\]/);
  });
});
