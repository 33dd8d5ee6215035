import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  drawHedJitter,
  hedJitter,
  imagesFromBytes,
  labStatistics,
  macenkoNormalize,
  macenkoStains,
  reinhardNormalize,
} from '../../src/augment/index.js';
import { compile, type Tensor, tf } from '../../src/engine/index.js';
import { key } from '../../src/runs/index.js';

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/torchstain/${name}`, import.meta.url));
const facts = JSON.parse(readFileSync(fixture('facts.json'), 'utf8')) as {
  side: number;
  stains: [number[], number[]];
  maxima: number[];
  labMean: number[];
  labStd: number[];
  factor: number[];
  shift: number[];
};
const { side } = facts;

async function bytesOf(path: string): Promise<{ bytes: Uint8Array; width: number; height: number }> {
  const { data, info } = await sharp(path).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { bytes: data, width: info.width, height: info.height };
}

/** Two pictures that stand side by side. */
async function pair(name: string): Promise<[Tensor, Tensor]> {
  const { bytes } = await bytesOf(fixture(name));
  const both = imagesFromBytes(bytes, [1, side, 2 * side, 3]);
  return tf.split(both, 2, 2) as [Tensor, Tensor];
}

/** Largest difference, in bytes. torchstain cuts decimals off, so that half a byte is its own. */
async function farthest(ours: Tensor, theirs: Tensor, cutOff: boolean): Promise<number> {
  const middle = theirs.mul(255).add(cutOff ? 0.5 : 0);
  const values = await ours.mul(255).sub(middle).abs().max().data();
  return values[0]! - 0.5;
}

let source: Tensor;
let target: Tensor;
beforeAll(async () => {
  [source, target] = await pair('images.png');
});

describe('Macenko normalization', () => {
  it('finds the stains that torchstain finds', async () => {
    const { hematoxylin, eosin, maxima } = await macenkoStains(target);
    [...hematoxylin, ...eosin].forEach((value, place) => {
      expect(value).toBeCloseTo(facts.stains.flat()[place]!, 4);
    });
    maxima.forEach((value, place) => {
      expect(value).toBeCloseTo(facts.maxima[place]!, 3);
    });
  });

  it('gives what torchstain gives, to a twentieth of a byte', async () => {
    const [reference, fitted] = await pair('macenko.png');
    expect(await farthest(macenkoNormalize(source), reference, true)).toBeLessThan(0.05);
    const stains = await macenkoStains(target);
    expect(await farthest(macenkoNormalize(source, stains), fitted, true)).toBeLessThan(0.05);
  });

  it('normalizes each image of a batch on its own, also compiled', async () => {
    const normalize = compile((images: Tensor) => macenkoNormalize(images));
    const batch = await normalize(tf.concat([source, target, source]));
    const alone = tf.concat([macenkoNormalize(source), macenkoNormalize(target), macenkoNormalize(source)]);
    expect((await batch.sub(alone).abs().max().data())[0]).toBeLessThan(1e-4);
    normalize.dispose();
  });

  it('returns an image without two stains as it is', async () => {
    const pixels = (color: number[]) => tf.tile(tf.tensor(color, [1, 1, 1, 3]), [1, side, side, 1]);
    const gray = tf
      .range(0, side * side)
      .div(side * side)
      .reshape([1, side, side, 1]);
    const images = tf.concat([
      pixels([1, 1, 1]),
      pixels([0, 0, 0]),
      pixels([0.6, 0.3, 0.5]),
      // One stain at many strengths.
      tf.exp(gray.mul(tf.tensor1d([-0.65, -0.7, -0.29]))),
    ]);
    expect((await macenkoNormalize(images).sub(images).abs().max().data())[0]).toBe(0);
    await expect(macenkoStains(pixels([1, 1, 1]))).rejects.toThrow(/no two stains/);
  });
});

describe('Reinhard normalization', () => {
  it('gives what torchstain gives, to a twentieth of a byte', async () => {
    const statistics = await labStatistics(target);
    statistics.mean.forEach((value, place) => {
      expect(value).toBeCloseTo(facts.labMean[place]!, 2);
    });
    statistics.std.forEach((value, place) => {
      expect(value).toBeCloseTo(facts.labStd[place]!, 2);
    });
    const { bytes } = await bytesOf(fixture('reinhard.png'));
    const theirs = imagesFromBytes(bytes, [1, side, side, 3]);
    expect(await farthest(reinhardNormalize(source, statistics), theirs, true)).toBeLessThan(0.05);
  });

  it('returns an image of one color as it is', async () => {
    const images = tf.concat([tf.ones([1, 8, 8, 3]), tf.zeros([1, 8, 8, 3]), tf.fill([1, 8, 8, 3], 0.4)]);
    const moved = reinhardNormalize(images, await labStatistics(target));
    expect((await moved.sub(images).abs().max().data())[0]).toBe(0);
  });
});

describe('HED jitter', () => {
  const given = (factor: number[], shift: number[]) => ({
    hedFactor: tf.tensor2d([factor]),
    hedShift: tf.tensor2d([shift]),
  });

  it('gives what the formula gives in NumPy', async () => {
    const { bytes } = await bytesOf(fixture('jittered.png'));
    const theirs = imagesFromBytes(bytes, [1, side, side, 3]);
    const ours = hedJitter(source, given(facts.factor, facts.shift));
    expect(await farthest(ours, theirs, false)).toBeLessThan(0.05);
  });

  it('gives the image back where nothing is drawn, also black and white', async () => {
    const images = tf.concat([source.slice([0, 0, 0, 0], [1, 8, 8, 3]), tf.ones([1, 8, 8, 3]), tf.zeros([1, 8, 8, 3])]);
    const still = drawHedJitter({ strength: 0, shift: 0 }, 3, key(1));
    expect((await hedJitter(images, still).sub(images).abs().max().data())[0]).toBeLessThan(2e-5);
  });

  it('draws each image its own, by the key', async () => {
    const draw = (seed: number) => drawHedJitter({ strength: 0.05, shift: 0.02 }, 4, key(seed));
    const rows = draw(1).hedFactor!.arraySync() as number[][];
    expect(new Set(rows.map(String)).size).toBe(4);
    expect(rows.flat().every((factor) => factor >= 0.95 && factor < 1.05)).toBe(true);
    expect(draw(1).hedShift!.arraySync()).toEqual(draw(1).hedShift!.arraySync());
    expect(draw(2).hedShift!.arraySync()).not.toEqual(draw(1).hedShift!.arraySync());
    expect(() => drawHedJitter({ strength: 1, shift: 0 }, 1, key(1))).toThrow(/strength is in \[0, 1\)/);
    expect(() => hedJitter(source, draw(1))).toThrow(/for 4 images does not fit 1/);
  });
});

const real = ['source.png', 'target.png'].map((name) =>
  fileURLToPath(new URL(`../../../shared/data/patches/${name}`, import.meta.url)),
);

describe('on the real pair of patches', () => {
  it.skipIf(!real.every((path) => existsSync(path)))(
    'both methods bring the source to the target’s colors',
    async () => {
      const [one, other] = await Promise.all(
        real.map(async (path) => {
          const { bytes, width, height } = await bytesOf(path);
          return imagesFromBytes(bytes, [1, height, width, 3]);
        }),
      );
      const distance = async (image: Tensor) => {
        const [a, b] = [await labStatistics(image), await labStatistics(other!)];
        return Math.hypot(...a.mean.map((value, place) => value - b.mean[place]!));
      };
      const before = await distance(one!);
      const reinhard = reinhardNormalize(one!, await labStatistics(other!));
      expect(await distance(reinhard)).toBeLessThan(0.1 * before);
      expect(await distance(macenkoNormalize(one!, await macenkoStains(other!)))).toBeLessThan(0.6 * before);
    },
  );
});
