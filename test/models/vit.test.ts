import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { compile, gradients, type Tensor, type Tensors, tf } from '../../src/engine/index.js';
import { resamplePositions, sineCosinePositions, type VitOptions, vit } from '../../src/models/index.js';
import { hashUniform } from '../fixtures/hash-uniform.js';
import { expectTimmShapes, expectTimmValues, timmModel } from './timm-reference.js';

/** Largest difference relative to the root of the mean square of what is expected. */
function relativeError(actual: ArrayLike<number>, expected: number[]): number {
  const typical = Math.sqrt(expected.reduce((sum, value) => sum + value ** 2, 0) / expected.length);
  return Math.max(...expected.map((value, i) => Math.abs(actual[i]! - value))) / typical;
}

const tiny = { imageSize: 32, patchSize: 8, width: 24, depth: 2, heads: 3 };
const swiglu = { activation: 'swiglu', mlpRatio: 5.33334 } as const;

describe.each<[string, VitOptions]>([
  ['vit-plain', tiny],
  ['vit-mean', { ...tiny, pooling: 'mean', layerScale: 1e-5 }],
  ['vit-registers', { ...tiny, registers: 4, ...swiglu }],
  ['vit-both', { ...tiny, pooling: 'both', layerScale: 1e-5, ...swiglu }],
])("%s with timm's weights", (name, options) => {
  it('has its names and shapes', () => expectTimmShapes(vit(options), name));
  it('gives its features and gradients, also at a size that positions are resampled to', () =>
    expectTimmValues(vit(options), name));
});

describe('attention of the class token', () => {
  const { attention } = JSON.parse(
    readFileSync(new URL('../fixtures/torch-saliency/saliency.json', import.meta.url), 'utf8'),
  ) as { attention: Record<string, { input: [number, number, number]; map: number[][][] }> };

  it.each([
    ['vit-plain', tiny],
    ['vit-registers', { ...tiny, registers: 4, ...swiglu }],
  ] as const)("%s: timm's, the mean over heads", (name, options) => {
    const { input, map } = attention[name]!;
    const images = tf.tensor4d(hashUniform(0, 3 * input.reduce((a, b) => a * b)), [...input, 3]);
    const found = vit(options).attention!(timmModel(name), images);
    expect(found.shape).toEqual([map.length, map[0]!.length, map[0]![0]!.length]);
    const expected = map.flat(2);
    found.dataSync().forEach((value, place) => {
      expect(value).toBeCloseTo(expected[place]!, 5);
    });
  });

  it('is not there where no class token is used', () => {
    expect(vit({ ...tiny, pooling: 'mean' }).attention).toBeUndefined();
  });
});

describe('vit', () => {
  const options = { imageSize: 16, patchSize: 8, width: 12, depth: 2, heads: 2 };

  it('drops whole branches in training, as its key says', () => {
    const backbone = vit({ ...options, dropPathRate: 0.9 });
    const model = backbone.initialize(key(0));
    const images = tf.ones([8, 16, 16, 3]);
    const run = (seed: number) => backbone.apply(model, images, { training: true, key: key(seed) }).features.dataSync();
    expect(run(1)).toEqual(run(1));
    expect(run(1)).not.toEqual(run(2));
    expect(() => backbone.apply(model, images, { training: true })).toThrow(/takes a key/);
  });

  it('can be run in parts, over any of its tokens', () => {
    for (const registers of [0, 2]) {
      const backbone = vit({ ...options, registers });
      const model = backbone.initialize(key(0));
      const images = tf.tensor4d(hashUniform(0, 2 * 24 * 16 * 3), [2, 24, 16, 3]);
      const whole = backbone.apply(model, images, { training: false });
      const tokens = backbone.embed(model, images);
      expect(tokens.shape).toEqual([2, 6, 12]);
      const encoded = backbone.encode(model, tokens, { training: false });
      expect(encoded.shape).toEqual([2, 1 + registers + 6, 12]);
      const [classToken] = tf.split(encoded, [1, registers + 6], 1) as [Tensor];
      expect(relativeError(classToken.dataSync(), [...whole.features.dataSync()])).toBeLessThan(1e-5);

      // Without positions in them the order of tokens would not matter; with them the same ones give the same.
      const few = tf.gather(tokens, [4, 1], 1);
      const turned = backbone.encode(model, few, { training: false });
      const back = backbone.encode(model, tf.reverse(few, 1), { training: false });
      const first = (x: Tensor) => [...x.slice([0, 0, 0], [-1, 1, -1]).dataSync()];
      expect(relativeError(first(turned), first(back))).toBeLessThan(1e-5);
      expect(first(turned)).not.toEqual(first(encoded));
    }
  });

  it('compiles at sizes of its own, and hands gradients on to positions', async () => {
    const backbone = vit(options);
    const { parameters } = backbone.initialize(key(0));
    const step = compile((parameters: Tensors, images: Tensor) =>
      gradients(parameters, (parameters) => {
        const { features } = backbone.apply({ parameters, state: {} }, images, { training: true });
        return { loss: features.square().mean() };
      }),
    );
    const { gradients: found } = await step(parameters, tf.tensor4d(hashUniform(0, 2 * 40 * 40 * 3), [2, 40, 40, 3]));
    expect(found.pos_embed!.shape).toEqual([1, 5, 12]);
    expect(found.pos_embed!.abs().min().dataSync()[0]).toBeGreaterThan(0);
    step.dispose();
  });

  it('holds fixed positions in its state', () => {
    const backbone = vit({ ...options, positions: 'fixed' });
    const { parameters, state } = backbone.initialize(key(0));
    expect(parameters.pos_embed).toBeUndefined();
    expect(state.pos_embed!.dataSync()).toEqual(sineCosinePositions(2, 12).dataSync());
    const images = tf.tensor4d(hashUniform(0, 2 * 16 * 16 * 3), [2, 16, 16, 3]);
    const features = backbone.apply({ parameters, state }, images, { training: false }).features.dataSync();
    const learned = { parameters: { ...parameters, pos_embed: state.pos_embed! }, state: {} };
    expect(vit(options).apply(learned, images, { training: false }).features.dataSync()).toEqual(features);
  });

  it('refuses what does not fit', () => {
    expect(() => vit({ ...options, heads: 5 })).toThrow(/5 heads do not divide the width 12/);
    expect(() => vit({ ...options, imageSize: 20 })).toThrow(/8 px do not divide images of 20 px/);
    expect(() => vit({ ...options, positions: 'fixed', registers: 4 })).toThrow(/without registers/);
    const backbone = vit(options);
    const model = backbone.initialize(key(0));
    const apply = (height: number, width: number) => () =>
      backbone.apply(model, tf.ones([1, height, width, 3]), { training: false });
    expect(apply(16, 28)).toThrow(/8 px do not divide images \[1,16,28,3\]; instead of 28 px, 24 or 32 px would fit/);
    expect(apply(5, 16)).toThrow(/instead of 5 px, 8 px would fit/);
  });
});

describe('sineCosinePositions', () => {
  it("is MAE's: zeros, then the column in the first half and the row in the second, sines before cosines", () => {
    const positions = sineCosinePositions(3, 8).arraySync() as number[][][];
    expect(positions[0]![0]).toEqual(new Array(8).fill(0));
    const [column, row] = [2, 1];
    const half = (place: number) => [Math.sin(place), Math.sin(place / 100), Math.cos(place), Math.cos(place / 100)];
    const expected = [...half(column), ...half(row)];
    const found = positions[0]![1 + row * 3 + column]!;
    for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 6);
  });

  it('refuses a width that does not fall into four', () => {
    expect(() => sineCosinePositions(2, 10)).toThrow(/that 4 divides; got 10/);
  });
});

describe('resamplePositions', () => {
  it('refuses what is not a square of patches', () => {
    expect(() => resamplePositions(tf.zeros([1, 6, 4]), [2, 2], 1)).toThrow(/not those of a square of patches and 1/);
  });
});
