import { describe, expect, it } from 'vitest';
import { composedGaussianBlur, gaussianBlur } from '../../src/augment/blur.js';
import { key } from '../../src/base/index.js';
import { randomUniform, type Tensor, tf } from '../../src/engine/index.js';

const images = randomUniform(key('blur'), [5, 14, 17, 3]);
const sigma = tf.tensor1d([0, 0.1, 0.7, 2, 40]);
const largest = (one: Tensor, other: Tensor) => one.sub(other).abs().max().dataSync()[0]!;

describe('gaussianBlur', () => {
  it('agrees with its composed twin', () => {
    for (const kernelSize of [1, 5, 27]) {
      const blurred = gaussianBlur(images, sigma, kernelSize);
      expect(largest(blurred, composedGaussianBlur(images, sigma, kernelSize))).toBeLessThan(1e-6);
    }
  });

  it('leaves an image without sigma as it is, bit for bit', () => {
    const [first] = tf.split(gaussianBlur(images, sigma, 5), 5);
    expect(largest(first!, images.slice([0, 0, 0, 0], [1, -1, -1, -1]))).toBe(0);
  });

  it('refuses a kernel that reaches beyond the mirrored image', () => {
    expect(() => gaussianBlur(images, sigma, 29)).toThrow(/reaches 14 px/);
  });
});
