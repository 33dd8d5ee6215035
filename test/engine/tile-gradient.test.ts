import { describe, expect, it } from 'vitest';
import { recordedOps } from '../../src/engine/compile/recorded-ops.js';
import { gradients, type Tensor, tf } from '../../src/engine/index.js';
import { checkGradient } from './numeric-gradient.js';

describe('the gradient of tile', () => {
  it.each([
    [[3], [4]],
    [
      [2, 3],
      [3, 1],
    ],
    [
      [1, 2, 3],
      [4, 3, 2],
    ],
    [
      [2, 1, 1, 3],
      [1, 3, 2, 1],
    ],
    [
      [1, 2, 1, 1, 2],
      [2, 1, 3, 1, 1],
    ],
  ])('is the sum over the copies: %j, %j times', async (shape, copies) => {
    await checkGradient(([x]) => tf.tile(x!, copies).square().mul(tf.tile(x!, copies)), [shape]);
  });

  it('takes as many ops for many copies as for few', () => {
    const opsFor = (copies: number) =>
      recordedOps(
        'tiles',
        (x: Tensor) => gradients({ x }, ({ x }) => ({ loss: tf.tile(x!, [copies, 1]).square().sum() })),
        [tf.ones([1, 3])],
      ).length;
    expect(opsFor(500)).toBe(opsFor(2));
  });
});
