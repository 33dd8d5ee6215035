import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { drawHedJitter, hedJitter, imagesFromBytes } from '../../src/augment/index.js';
import { key } from '../../src/base/index.js';
import { type Tensor, tf } from '../../src/engine/index.js';

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/hed-jitter/${name}`, import.meta.url));
const facts = JSON.parse(readFileSync(fixture('facts.json'), 'utf8')) as {
  side: number;
  factor: number[];
  shift: number[];
};
const { side } = facts;

async function bytesOf(path: string): Promise<{ bytes: Uint8Array; width: number; height: number }> {
  const { data, info } = await sharp(path).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { bytes: data, width: info.width, height: info.height };
}

let source: Tensor;
beforeAll(async () => {
  const { bytes } = await bytesOf(fixture('images.png'));
  source = imagesFromBytes(bytes, [1, side, side, 3]);
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
    // Theirs was rounded to bytes.
    expect((await ours.sub(theirs).abs().max().data())[0]).toBeLessThan(0.55 / 255);
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
