import { describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { type Tensor, tf } from '../../src/engine/index.js';
import { orientations, type Predictor, predictedViews, type TestTimeAugmentation } from '../../src/finetune/index.js';

const image = tf.tensor4d([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 3, 3, 1]);

describe('test-time augmentation', () => {
  it.each([
    ['none', 1],
    ['flips', 4],
    ['dihedral', 8],
  ] as const)('%s looks at an image in %i ways, all of them different, and finds back from each', (name, count) => {
    const all = orientations(name);
    const turned = all.map(({ turn }) => Array.from(turn(image).dataSync()).join());
    expect(new Set(turned).size).toBe(count);
    expect(turned[0]).toBe(Array.from(image.dataSync()).join());
    for (const { turn, turnBack } of all) {
      expect(turnBack(turn(image)).dataSync()).toEqual(image.dataSync());
    }
  });

  it('refuses another', () => {
    expect(() => orientations('turns' as 'none')).toThrow(/testTime is none, flips, dihedral; got "turns"/);
  });
});

describe('predictions averaged over orientations', () => {
  const side = 6;
  const random = key('pixels').generator();
  const pixels = Float32Array.from({ length: 3 * side * side }, () => random.uniform());
  const weights = tf.tensor2d(
    Float32Array.from({ length: 3 * pixels.length }, () => random.normal()),
    [pixels.length, 3],
  );

  /** A square image, pixel by pixel: columns for rows or not, and each of them backward or not. */
  const turned = (swapped: boolean, up: boolean, left: boolean) =>
    tf.tensor4d(
      Float32Array.from(pixels, (_, at) => {
        const [y, x] = [Math.floor(at / 3 / side), Math.floor(at / 3) % side];
        const [row, column] = swapped ? [x, y] : [y, x];
        return pixels[3 * ((up ? side - 1 - row : row) * side + (left ? side - 1 - column : column)) + (at % 3)]!;
      }),
      [1, side, side, 3],
    );
  const both = [false, true];
  const ways = both.flatMap((swapped) => both.flatMap((up) => both.map((left) => turned(swapped, up, left))));

  const predicted = (logits: (images: Tensor) => Tensor, image: Tensor, testTime: TestTimeAugmentation) => {
    const method = { name: 'one of the test', predict: (_: unknown, images: Tensor) => logits(images) };
    const view = { size: side, colors: { mean: [0, 0, 0], std: [1, 1, 1] } };
    return predictedViews({ method, model: {}, view } as unknown as Predictor, image, testTime).dataSync<'float32'>();
  };
  const furthest = (one: Float32Array, other: Float32Array) =>
    Math.max(...one.map((value, place) => Math.abs(value - other[place]!)));

  it('are those of the image as it is, where each pixel is judged by its own color', () => {
    const byColor = (images: Tensor) => images.mul(9) as Tensor;
    const plain = predicted(byColor, ways[0]!, 'none');
    for (const testTime of ['flips', 'dihedral'] as const) {
      expect(furthest(predicted(byColor, ways[0]!, testTime), plain), testTime).toBeLessThan(1e-6);
    }
    expect(furthest(predicted(byColor, ways[7]!, 'none'), plain)).toBeGreaterThan(0.1);
  });

  it.each([
    ['flips', 4],
    ['dihedral', 8],
  ] as const)('with %s are the mean over %i images turned by hand, of a class of the whole', (testTime, count) => {
    const ofAll = (images: Tensor) => images.reshape([1, -1]).matMul(weights) as Tensor;
    const each = ways.slice(0, count).map((image) => predicted(ofAll, image, 'none'));
    const mean = each[0]!.map((_, place) => each.reduce((sum, values) => sum + values[place]! / count, 0));
    expect(furthest(predicted(ofAll, ways[0]!, testTime), mean)).toBeLessThan(1e-6);
    expect(furthest(each[0]!, mean)).toBeGreaterThan(0.01);
  });
});
