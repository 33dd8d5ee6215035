import { describe, expect, it } from 'vitest';
import {
  crossEntropy,
  describeDevice,
  gather,
  groupNorm,
  resizeBilinear,
  stridedSlice,
  type Tensor,
  tf,
} from '../../src/engine/index.js';

const onGpu = describeDevice().type === 'gpu';
const values = (tensor: Tensor) => Array.from(tensor.dataSync());

describe('ops say what they take', () => {
  it('groupNorm', () => {
    const parameters = { weight: tf.ones([6]), bias: tf.zeros([6]) };
    expect(() => groupNorm(tf.zeros([1, 2, 2, 6]), parameters, 4)).toThrow(
      /\[1,2,2,6\] cannot be divided into 4 equal groups/,
    );
  });

  it('resizeBilinear', () => {
    expect(() => resizeBilinear(tf.zeros([2, 2]), [3, 3])).toThrow(/got \[2,2\]/);
    expect(() => resizeBilinear(tf.zeros([1, 2, 2, 1]), [3.5, 3])).toThrow(/whole px; got .* 3.5,3/);
  });

  it('stridedSlice', () => {
    expect(() => stridedSlice(tf.zeros([4, 4]), [0], [4], [1])).toThrow(/each dimension of \[4,4\]/);
    expect(() => stridedSlice(tf.zeros([4]), [3], [0], [-1])).toThrow(/stride of at least 1/);
  });

  it('gather', () => {
    expect(() => gather(tf.zeros([4, 2]), tf.tensor1d([0.5]))).toThrow(/int32 indices of rank 1.*float32\[1\]/);
    expect(() => gather(tf.zeros([4, 2]), tf.tensor1d([1], 'int32'), { perSample: true })).toThrow(/of rank 2/);
  });

  it.skipIf(onGpu)('gather, of rows: GPUs give zeros', () => {
    expect(() => gather(tf.zeros([4, 2]), tf.tensor1d([4], 'int32'))).toThrow(/indices\[0\] = 4 is not in \[0, 4\)/);
  });

  it('crossEntropy', () => {
    const logits = tf.zeros([2, 3]);
    expect(() => crossEntropy(logits, tf.tensor1d([0, 1]))).toThrow(/int32 labels .*float32\[2\]/);
    expect(() => crossEntropy(logits, tf.tensor1d([0, 1, 2], 'int32'))).toThrow(/got \[2,3\] and int32\[3\]/);
    const labels = tf.tensor1d([0, 1], 'int32');
    expect(() => crossEntropy(logits, labels, { labelSmoothing: 1.5 })).toThrow(
      /smoothing is between 0 and 1; got 1.5/,
    );
  });
});

describe('crossEntropy', () => {
  it('takes pixels as it takes rows', () => {
    const logits = tf.randomNormal([2, 3, 4, 5], 0, 1, 'float32', 1);
    const labels = tf.range(0, 24, 1, 'int32').mod(tf.scalar(5, 'int32'));
    const flat = crossEntropy(logits.reshape([24, 5]), labels);
    expect(values(crossEntropy(logits, labels.reshape([2, 3, 4])))).toEqual(values(flat));
  });

  it('is 0, with gradient 0, where no label counts', () => {
    const labels = tf.tensor1d([9, 9], 'int32');
    const loss = (x: Tensor) => crossEntropy(x, labels, { ignoreLabel: 9 }).asScalar();
    const { value, grad } = tf.valueAndGrad(loss)(tf.ones([2, 3]));
    expect(values(value)).toEqual([0]);
    expect(values(grad.abs())).toEqual([0, 0, 0, 0, 0, 0]);
    const classWeights = tf.tensor1d([0, 1, 1]);
    expect(values(crossEntropy(tf.ones([2, 3]), tf.zeros([2], 'int32'), { classWeights }))).toEqual([0]);
  });

  it.skipIf(onGpu)('refuses a label that is not a class: GPUs give what is not a number', () => {
    const labels = tf.tensor1d([0, 3], 'int32');
    expect(() => crossEntropy(tf.zeros([2, 3]), labels)).toThrow(/label value of 3 .*valid range of \[0, 3\)/);
  });
});
