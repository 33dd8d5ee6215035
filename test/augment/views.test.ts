import { describe, expect, it } from 'vitest';
import {
  applyViews,
  centerView,
  drawViewParameters,
  imageNetColors,
  imagesFromBytes,
  normalize,
  selfSupervisedViews,
  supervisedViews,
  type ViewRecipe,
} from '../../src/augment/index.js';
import { type Key, key } from '../../src/base/index.js';
import { randomUniform, type Tensor, tf } from '../../src/engine/index.js';
import { randomViews } from './random-views.js';

const whole: ViewRecipe['crop'] = { scale: [1, 1], ratio: [1, 1] };
const square = (batch: number, side: number) => randomUniform(key('images'), [batch, side, side, 3]);
const bits = (tensor: Tensor) => Buffer.from(tensor.dataSync().buffer).toString('base64');

/** Two views of each image, apart. */
const pairsOfViews = (images: Tensor, recipe: ViewRecipe, from: Key): [Tensor, Tensor] =>
  tf.tidy(() => {
    const views = randomViews(images, recipe, from, 2);
    return tf.unstack(views.reshape([images.shape[0]!, 2, ...views.shape.slice(1)]), 1) as [Tensor, Tensor];
  });

describe('random views', () => {
  it('are the image itself when the recipe changes nothing', () => {
    const images = square(3, 24);
    expect(bits(randomViews(images, { size: 24, crop: whole }, key(1)))).toBe(bits(images));
    const idle: ViewRecipe = {
      size: 24,
      crop: whole,
      flips: { horizontal: 0, vertical: 0 },
      jitter: { probability: 0, brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 },
      grayscale: 0,
      blur: { probability: 0, sigma: [0.1, 2], kernelSize: 23 },
    };
    const difference = randomViews(images, idle, key(1)).sub(images).abs().max().dataSync()[0];
    expect(difference).toBeLessThan(1e-6);
  });

  it('flip when the recipe always flips', () => {
    const images = square(2, 16);
    const flipped = (flips: ViewRecipe['flips']) => randomViews(images, { size: 16, crop: whole, flips }, key(1));
    expect(bits(flipped({ horizontal: 1, vertical: 0 }))).toBe(bits(tf.reverse(images, 2)));
    expect(bits(flipped({ horizontal: 0, vertical: 1 }))).toBe(bits(tf.reverse(images, 1)));
    expect(bits(flipped({ horizontal: 1, vertical: 1 }))).toBe(bits(tf.reverse(images, [1, 2])));
  });

  it('are gray, by the luma of each pixel, when the recipe always turns gray', () => {
    const images = square(2, 16);
    const gray = images.mul(tf.tensor1d([0.2989, 0.587, 0.114])).sum(3, true);
    const difference = randomViews(images, { size: 16, crop: whole, grayscale: 1 }, key(1)).sub(gray);
    expect(difference.abs().max().dataSync()[0]).toBeLessThan(1e-6);
  });

  it('keep the mean of each channel through blur in the middle of an image, and spread a point as a Gaussian', () => {
    const side = 41;
    const point = tf.oneHot(tf.tensor1d([20 * side + 20], 'int32'), side * side).reshape([1, side, side, 1]);
    const images = tf.tile(point.cast('float32'), [1, 1, 1, 3]);
    const recipe: ViewRecipe = {
      size: side,
      crop: whole,
      blur: { probability: 1, sigma: [1.5, 1.5], kernelSize: 23 },
    };
    const blurred = randomViews(images, recipe, key(1));
    expect(blurred.sum().dataSync()[0]).toBeCloseTo(3, 5);
    const at = (y: number, x: number) => blurred.slice([0, y, x, 0], [1, 1, 1, 1]).dataSync()[0]!;
    for (const [y, x] of [
      [0, 1],
      [2, 0],
      [3, 3],
    ] as const) {
      const expected = Math.exp(-(y * y + x * x) / (2 * 1.5 * 1.5));
      expect(at(20 + y, 20 - x) / at(20, 20)).toBeCloseTo(expected, 5);
    }
  });

  it('depend on the key alone, bit for bit, and stay in 0..1', () => {
    const images = square(6, 40);
    const recipe = selfSupervisedViews(32);
    const views = randomViews(images, recipe, key(5).fold('step').fold(3));
    expect(views.shape).toEqual([6, 32, 32, 3]);
    expect(bits(randomViews(images, recipe, key(5).fold('step').fold(3)))).toBe(bits(views));
    expect(bits(randomViews(images, recipe, key(5).fold('step').fold(4)))).not.toBe(bits(views));
    for (let seed = 0; seed < 5; seed++) {
      for (const view of pairsOfViews(images, recipe, key(seed))) {
        const values = view.dataSync();
        expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
        expect(Math.max(...values)).toBeLessThanOrEqual(1);
      }
    }
  });

  it('come in pairs of the same images, differing from each other', () => {
    // Each image is one color of its own; only crops and flips, so that a view shows its image's color.
    const colors = randomUniform(key('colors'), [5, 1, 1, 3]);
    const images = tf.tile(colors, [1, 20, 20, 1]);
    const geometry: ViewRecipe = { size: 12, crop: { scale: [0.3, 1], ratio: [0.75, 1.33] } };
    const [first, second] = pairsOfViews(images, geometry, key(2));
    for (const view of [first, second]) expect(view.sub(colors).abs().max().dataSync()[0]).toBeLessThan(1e-6);
    const pair = pairsOfViews(square(5, 20), geometry, key(2));
    const difference = pair[0].sub(pair[1]).abs().mean([1, 2, 3]).dataSync();
    expect(Math.min(...difference)).toBeGreaterThan(0.01);
  });

  it('leave no tensors behind', () => {
    const images = square(2, 24);
    const before = tf.memory().numTensors;
    const views = pairsOfViews(images, selfSupervisedViews(16), key(1));
    expect(tf.memory().numTensors).toBe(before + 2);
    tf.dispose(views);
    centerView(images, { crop: 20, size: 16 }).dispose();
    normalize(images, imageNetColors).dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('refuse recipes and images that make no sense, saying which setting', () => {
    const images = square(1, 16);
    const recipe = supervisedViews(16);
    expect(() => randomViews(images, { ...recipe, size: 0 }, key(1))).toThrow(/size.*got 0/);
    expect(() => randomViews(images, { ...recipe, crop: { scale: [0, 1], ratio: [1, 1] } }, key(1))).toThrow(
      /crop\.scale.*\[0,1\]/,
    );
    expect(() => randomViews(images, { ...recipe, grayscale: 1.2 }, key(1))).toThrow(/grayscale is a probability/);
    expect(() => randomViews(images, { ...recipe, jitter: { ...recipe.jitter!, hue: 0.6 } }, key(1))).toThrow(/hue/);
    expect(() => randomViews(images, supervisedViews(11), key(1))).toThrow(/kernelSize reaches 11 px.*less than/);
    expect(() => randomViews(tf.zeros([16, 16, 3]), recipe, key(1))).toThrow(/\[batch, height, width, 3\]/);
    const three = drawViewParameters(recipe, 3, { height: 16, width: 16 }, key(1));
    expect(() => applyViews(square(2, 16), three, recipe)).toThrow(/3 views do not fit 2 images/);
  });
});

describe('drawn parameters', () => {
  const image = { height: 60, width: 80 };
  const count = 4000;
  const recipe = selfSupervisedViews(32);
  const draw = (changes: Partial<ViewRecipe> = {}) => {
    const drawn = drawViewParameters({ ...recipe, ...changes }, count, image, key('draw'));
    return Object.fromEntries(Object.entries(drawn).map(([name, tensor]) => [name, tensor.arraySync()])) as {
      cropRows: number[][];
      cropColumns: number[][];
      blendsBeforeHue: number[][][];
      blendsAfterHue: number[][][];
      hueShift: number[];
      grayscale: number[];
      blurSigma: number[];
    };
  };
  const share = (values: readonly boolean[]) => values.filter(Boolean).length / values.length;
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

  it('crop within the image, in the ranges of area and ratio', () => {
    const { cropRows, cropColumns } = draw({ crop: { scale: [0.2, 0.6], ratio: [3 / 4, 4 / 3] } });
    const areas: number[] = [];
    for (let index = 0; index < count; index++) {
      const [top, height] = cropRows[index] as [number, number];
      const [left, width] = cropColumns[index] as [number, number];
      expect(top >= 0 && left >= 0 && top + height <= image.height && left + width <= image.width).toBe(true);
      // Sides are whole px: half a px each way.
      expect((width + 0.5) / (height - 0.5)).toBeGreaterThan(3 / 4);
      expect((width - 0.5) / (height + 0.5)).toBeLessThan(4 / 3);
      areas.push((height * width) / (image.height * image.width));
    }
    expect(mean(areas)).toBeCloseTo(0.4, 1);
    expect(Math.min(...areas)).toBeGreaterThan(0.19);
    expect(Math.max(...areas)).toBeLessThan(0.61);
  });

  it('fall back to the largest centered crop of an allowed ratio, as torchvision does', () => {
    const { cropRows, cropColumns } = draw({ crop: { scale: [1, 1], ratio: [1, 1] } });
    expect(cropRows[7]!.slice(0, 2)).toEqual([0, 60]);
    expect(cropColumns[7]!.slice(0, 2)).toEqual([10, 60]);
  });

  it('apply each stage as often as the recipe says', () => {
    const drawn = draw();
    expect(share(drawn.cropRows.map((row) => row[2] === 1))).toBeCloseTo(0.5, 1);
    expect(share(drawn.cropColumns.map((row) => row[2] === 1))).toBeCloseTo(0.5, 1);
    expect(share(drawn.hueShift.map((shift) => shift !== 0))).toBeCloseTo(0.8, 1);
    expect(share(drawn.grayscale.map((gray) => gray === 1))).toBeCloseTo(0.2, 1);
    expect(share(drawn.blurSigma.map((sigma) => sigma > 0))).toBeCloseTo(0.5, 1);
  });

  it('draw factors from their ranges, in every order equally often', () => {
    const { blendsBeforeHue, blendsAfterHue, hueShift, blurSigma } = draw({
      jitter: { ...recipe.jitter!, probability: 1 },
    });
    const orders = new Map<string, number>();
    const factors = { brightness: [] as number[], contrast: [] as number[], saturation: [] as number[] };
    for (let index = 0; index < count; index++) {
      const name = ([factor, gray, meanGray]: number[]) => {
        if (factor === 1) return [];
        const part = meanGray !== 0 ? 'contrast' : gray !== 0 ? 'saturation' : 'brightness';
        factors[part].push(factor!);
        if (part !== 'brightness') expect(factor! + gray! + meanGray!).toBeCloseTo(1, 6);
        return [part];
      };
      const order = [...blendsBeforeHue[index]!.flatMap(name), 'hue', ...blendsAfterHue[index]!.flatMap(name)];
      expect(order).toHaveLength(4);
      orders.set(String(order), (orders.get(String(order)) ?? 0) + 1);
    }
    expect(orders.size).toBe(24);
    const expected = count / 24;
    const chiSquared = [...orders.values()].reduce((sum, seen) => sum + (seen - expected) ** 2 / expected, 0);
    expect(chiSquared).toBeLessThan(49.7); // 23 degrees of freedom, p = 0.001
    for (const values of Object.values(factors)) {
      expect(mean(values)).toBeCloseTo(1, 1);
      expect(Math.min(...values)).toBeGreaterThanOrEqual(0.6);
      expect(Math.min(...values)).toBeLessThan(0.62);
      expect(Math.max(...values)).toBeLessThan(1.4);
      expect(Math.max(...values)).toBeGreaterThan(1.38);
    }
    expect(Math.max(...hueShift.map(Math.abs))).toBeLessThan(0.1);
    expect(Math.max(...hueShift.map(Math.abs))).toBeGreaterThan(0.098);
    expect(Math.max(...blurSigma)).toBeLessThan(2);
  });

  it('do not depend on the settings of other stages', () => {
    const { cropRows, grayscale } = draw();
    const changed = draw({ jitter: { ...recipe.jitter!, probability: 0.1 }, blur: undefined });
    expect(changed.cropRows).toEqual(cropRows);
    expect(changed.grayscale).toEqual(grayscale);
    expect(changed).not.toHaveProperty('blurSigma');
  });
});

describe('the view of evaluation', () => {
  it('is the image itself at full size, and its center when cropped', () => {
    const images = square(2, 20);
    expect(bits(centerView(images, { size: 20 }))).toBe(bits(images));
    const difference = centerView(images, { crop: 12, size: 12 }).sub(images.slice([0, 4, 4, 0], [2, 12, 12, 3]));
    expect(difference.abs().max().dataSync()[0]).toBeLessThan(1e-6);
    expect(() => centerView(images, { crop: 21, size: 20 })).toThrow(/21 px does not fit.*20 x 20/);
  });
});

describe('normalize', () => {
  it('gives a random batch zero mean and unit deviation under its own statistics', () => {
    const images = randomUniform(key('moments'), [4, 32, 32, 3]);
    const deviation = Math.sqrt(1 / 12);
    const mean: [number, number, number] = [0.5, 0.5, 0.5];
    const values = normalize(images, { mean, std: [deviation, deviation, deviation] });
    const moments = tf.moments(values, [0, 1, 2]);
    for (const value of moments.mean.dataSync()) expect(Math.abs(value)).toBeLessThan(0.1);
    for (const value of moments.variance.dataSync()) expect(Math.abs(value - 1)).toBeLessThan(0.1);
  });

  it('is (x - mean) / std, channel by channel, of bytes over 255', () => {
    const images = imagesFromBytes(Uint8Array.of(0, 51, 255), [1, 1, 1, 3]);
    const expected = [(0 - 0.485) / 0.229, (0.2 - 0.456) / 0.224, (1 - 0.406) / 0.225];
    normalize(images, imageNetColors)
      .dataSync()
      .forEach((value, channel) => {
        expect(value).toBeCloseTo(expected[channel]!, 5);
      });
    expect(() => normalize(images, { mean: [0, 0, 0], std: [1, 0, 1] })).toThrow(/above 0/);
  });
});
