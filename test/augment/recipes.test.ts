import { describe, expect, it } from 'vitest';
import {
  byolViews,
  dinoViews,
  drawHedJitter,
  drawViewParameters,
  hedJitter,
  selfSupervisedViews,
  type ViewRecipe,
} from '../../src/augment/index.js';
import { key } from '../../src/base/index.js';
import { randomUniform, type Tensor, tf } from '../../src/engine/index.js';
import { randomViews } from './random-views.js';

const crop: ViewRecipe['crop'] = { scale: [1, 1], ratio: [1, 1] };
const images = randomUniform(key('images'), [6, 16, 16, 3]);
const difference = (one: Tensor, other: Tensor) => one.sub(other).abs().max().dataSync()[0]!;

describe('solarization', () => {
  it('inverts what is at least half as bright as white', () => {
    const solarized = randomViews(images, { size: 16, crop, solarize: 1 }, key(1));
    const expected = tf.where(images.greaterEqual(0.5), tf.sub(1, images), images);
    expect(difference(solarized, expected)).toBeLessThan(1e-6);
  });

  it('takes the views that were drawn for it, and comes after the blur', () => {
    const recipe: ViewRecipe = {
      size: 16,
      crop,
      blur: { probability: 1, sigma: [2, 2], kernelSize: 9 },
      solarize: 0.5,
    };
    const { solarize: chosen } = drawViewParameters(recipe, 6, { height: 16, width: 16 }, key(6));
    const flags = Array.from(chosen!.dataSync());
    expect(new Set(flags)).toEqual(new Set([0, 1]));
    const blurred = randomViews(images, { ...recipe, solarize: 0 }, key(6));
    const made = randomViews(images, recipe, key(6));
    flags.forEach((flag, view) => {
      const own = blurred.slice([view], [1]);
      const expected = flag ? tf.where(own.greaterEqual(0.5), tf.sub(1, own), own) : own;
      expect(difference(made.slice([view], [1]), expected)).toBeLessThan(1e-6);
    });
  });
});

describe('stain jitter', () => {
  const stain = { strength: 0.3, shift: 0.1 };

  it('is that of the stains, for the views that were drawn for it', () => {
    const always = randomViews(images, { size: 16, crop, stain: { ...stain, probability: 1 } }, key(2));
    expect(difference(always, hedJitter(images, drawHedJitter(stain, 6, key(2))))).toBeLessThan(1e-5);
    const never = randomViews(images, { size: 16, crop, stain: { ...stain, probability: 0 } }, key(2));
    expect(difference(never, images)).toBeLessThan(1e-5);
    const drawn = drawViewParameters(
      { size: 16, crop, stain: { ...stain, probability: 0.4 } },
      500,
      { height: 16, width: 16 },
      key(4),
    );
    const unchanged = (drawn.hedFactor!.arraySync() as number[][]).filter((row) => row.every((factor) => factor === 1));
    expect(Math.abs(unchanged.length / 500 - 0.6)).toBeLessThan(0.07);
  });

  it('refuses what cannot be drawn', () => {
    const wrong = (changes: object) => () =>
      randomViews(images, { size: 16, crop, stain: { ...stain, probability: 1, ...changes } }, key(1));
    expect(wrong({ probability: 2 })).toThrow(/stain.probability is a probability/);
    expect(wrong({ strength: 1 })).toThrow(/stain.strength is in \[0, 1\); got 1/);
    expect(wrong({ shift: -1 })).toThrow(/stain.shift is 0 or more/);
    expect(() => randomViews(images, { size: 16, crop, solarize: -0.1 }, key(1))).toThrow(/solarize is a probability/);
    const cropOf = (interpolation: string) => ({ ...crop, interpolation }) as typeof crop;
    expect(() => randomViews(images, { size: 16, crop: cropOf('nearest') }, key(1))).toThrow(
      /crop.interpolation is bilinear or bicubic; got "nearest"/,
    );
  });
});

describe('the views of methods', () => {
  it('are an asymmetric pair for BYOL', () => {
    const [first, second] = byolViews(224);
    expect(first).toMatchObject({ size: 224, blur: { probability: 1 }, jitter: { saturation: 0.2 }, grayscale: 0.2 });
    expect(first).not.toHaveProperty('solarize');
    expect(second).toMatchObject({ size: 224, blur: { probability: 0.1 }, solarize: 0.2 });
    expect(second.crop).toEqual({ ...selfSupervisedViews(224).crop, interpolation: 'bicubic' });
  });

  it('are two global and eight local ones for DINO, of neighbors in size', () => {
    const views = dinoViews();
    expect(views.map(({ size }) => size)).toEqual([224, 224, 96, 96, 96, 96, 96, 96, 96, 96]);
    expect(views.map(({ crop }) => crop.scale[0])).toEqual([0.4, 0.4, ...Array(8).fill(0.05)]);
    expect(views.map(({ crop }) => crop.scale[1])).toEqual([1, 1, ...Array(8).fill(0.4)]);
    expect(views.map(({ crop }) => crop.interpolation)).toEqual(Array(10).fill('bicubic'));
    expect(views.map(({ blur }) => blur!.probability)).toEqual([1, 0.1, ...Array(8).fill(0.5)]);
    expect(views.map(({ solarize }) => solarize)).toEqual([undefined, 0.2, ...Array(8).fill(undefined)]);
    expect(new Set(views.map(({ jitter }) => jitter!.saturation))).toEqual(new Set([0.2]));
  });
});
