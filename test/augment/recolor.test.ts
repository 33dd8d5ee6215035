import { describe, expect, it } from 'vitest';
import { drawViewParameters, selfSupervisedViews } from '../../src/augment/index.js';
import { composedRecolor, recolor } from '../../src/augment/recolor.js';
import { key } from '../../src/base/index.js';
import { randomUniform, type Tensor, type Tensors, tf } from '../../src/engine/index.js';

const views = (count: number) => randomUniform(key('recolor'), [count, 9, 13, 3]);
const largest = (one: Tensor, other: Tensor) => one.sub(other).abs().max().dataSync()[0]!;

function parametersOf(count: number): Tensors {
  const { cropRows, cropColumns, blurSigma, ...colors } = drawViewParameters(
    selfSupervisedViews(12),
    count,
    { height: 12, width: 12 },
    key('drawn'),
  );
  return colors;
}

describe('recolor', () => {
  it('agrees with its composed twin, whatever of the colors is there', () => {
    const all = parametersOf(60);
    const { grayscale, ...jitter } = all;
    for (const parameters of [all, jitter, { grayscale: grayscale! }]) {
      const recolored = recolor(views(60), parameters);
      expect(largest(recolored, views(60))).toBeGreaterThan(0.1);
      expect(largest(recolored, composedRecolor(views(60), parameters))).toBeLessThan(2e-5);
    }
  });

  it('leaves gray, black and white pixels as gray as they were', () => {
    const gray = tf.tile(tf.tensor4d([0, 0.3, 1, 0.7], [1, 2, 2, 1]), [1, 1, 1, 3]);
    const shift = { ...parametersOf(1), hueShift: tf.tensor1d([0.3]) };
    const [red, green, blue] = tf.unstack(recolor(gray, shift), 3) as [Tensor, Tensor, Tensor];
    expect(largest(red, green)).toBeLessThan(1e-6);
    expect(largest(red, blue)).toBeLessThan(1e-6);
  });

  it('refuses parameters of another number of views', () => {
    expect(() => recolor(views(4), parametersOf(3))).toThrow(/blends are \[4,slots,3\]; got \[3,7,3\]/);
  });
});
