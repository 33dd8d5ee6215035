import { expect } from 'vitest';
import { key } from '../../src/base/index.js';
import { type Tensor, tf } from '../../src/engine/index.js';

/** Normal numbers that are the same in every run. */
export function normal(shape: number[], name: string, scale = 1): Tensor {
  const random = key(name).generator();
  return tf.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => scale * random.normal()),
    shape,
  );
}

/** Expects two tensors to differ by no more than so large a part of the second one's size (root of the mean square). */
export function expectAlike(actual: Tensor, expected: Tensor, tolerance: number): void {
  expect(actual.shape).toEqual(expected.shape);
  const [ours, theirs] = [actual.dataSync(), expected.dataSync()];
  const size = Math.sqrt(theirs.reduce((sum, value) => sum + value * value, 0) / theirs.length);
  const worst = ours.reduce((worst, value, i) => Math.max(worst, Math.abs(value - theirs[i]!)), 0);
  expect(worst / size, 'largest difference').toBeLessThanOrEqual(tolerance);
  expect(ours.every(Number.isFinite), 'only numbers').toBe(true);
}
