import { describe, expect, it } from 'vitest';
import { imagesOfDecoded } from '../../src/augment/index.js';
import { composedResizedCrops, resizedCrops } from '../../src/augment/resized-crop.js';
import { key } from '../../src/base/index.js';
import { attribute, randomUniform, runOp, type Tensor, tf } from '../../src/engine/index.js';
import { randomViews } from './random-views.js';

const images = () => randomUniform(key('crops'), [2, 61, 47, 3]);
/** Six views, three an image: enlarged and shrunk, at the borders and within, flipped and not. */
const crops = () => ({
  rows: tf.tensor2d([
    [0, 61, 0],
    [0, 61, 1],
    [13, 7, 0],
    [60, 1, 0],
    [5, 40, 1],
    [20, 31, 0],
  ]),
  columns: tf.tensor2d([
    [0, 47, 1],
    [0, 47, 0],
    [40, 7, 1],
    [0, 1, 0],
    [1, 46, 0],
    [16, 31, 1],
  ]),
});
const largest = (one: Tensor, other: Tensor) => one.sub(other).abs().max().dataSync()[0]!;

describe('resizedCrops', () => {
  it.each(['bilinear', 'bicubic'] as const)('agrees with its composed twin (%s)', (interpolation) => {
    for (const size of [1, 8, 31, 90]) {
      const own = { ...crops(), interpolation };
      const views = resizedCrops(images(), own, size);
      expect(views.shape).toEqual([6, size, size, 3]);
      expect(largest(views, composedResizedCrops(images(), own, size))).toBeLessThan(2e-6);
    }
  });

  it('takes bytes, and gives what it gives of the same in floats', () => {
    const bytes = runOp(
      'Cast',
      [attribute.type('SrcT', 'float32'), attribute.type('DstT', 'uint8')],
      [images().mul(255).round()],
    );
    const floats = imagesOfDecoded(bytes);
    expect(largest(resizedCrops(bytes, crops(), 20), resizedCrops(floats, crops(), 20))).toBeLessThan(1e-6);
    expect(largest(composedResizedCrops(bytes, crops(), 20), composedResizedCrops(floats, crops(), 20))).toBe(0);
    const recipe = { size: 12, crop: { scale: [0.3, 1], ratio: [0.7, 1.4] } } as const;
    expect(largest(randomViews(bytes, recipe, key(1)), randomViews(floats, recipe, key(1)))).toBeLessThan(1e-6);
  });

  it('refuses crops that leave the image', () => {
    const outside = {
      rows: tf.tensor2d([
        [50, 12, 0],
        [0, 5, 0],
      ]),
      columns: tf.tensor2d([
        [0, 5, 0],
        [0, 5, 0],
      ]),
    };
    expect(() => resizedCrops(images(), outside, 4)).toThrow(/leaves an image of 61 px/);
  });
});
