import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DecodeOptions, decodeJpegs, imagesOfDecoded } from '../../src/augment/index.js';
import { key } from '../../src/base/index.js';
import { compile, type Tensor, tf, uploadStrings } from '../../src/engine/index.js';

/** Smooth color fields with noise. */
async function jpeg(seed: number, width: number, height: number, options: sharp.JpegOptions = {}): Promise<Uint8Array> {
  const random = key(seed).generator();
  const pixels = Uint8Array.from(
    { length: width * height * 3 },
    (_, at) => 120 + 90 * Math.sin(at / (70 + 9 * seed)) + 30 * random.uniform(),
  );
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 90, chromaSubsampling: '4:4:4', ...options })
    .toBuffer();
}

const raw = (image: Uint8Array) => sharp(image).toColorspace('srgb').raw().toBuffer();

/** Decodes batches of one length in a compiled step. */
function jpegDecoder(options: DecodeOptions) {
  const decode = compile(function decodeBatch(encoded: Tensor) {
    return imagesOfDecoded(decodeJpegs(encoded, options));
  });
  const decoder = async (images: readonly Uint8Array[]) => {
    const encoded = uploadStrings(images);
    return decode(encoded).finally(() => encoded.dispose());
  };
  return Object.assign(decoder, { dispose: () => decode.dispose() });
}

describe('decodeJpegs', () => {
  const decode = jpegDecoder({ height: 40, width: 56 });
  let images: Uint8Array[];
  beforeAll(async () => {
    images = await Promise.all([1, 2, 3].map((seed) => jpeg(seed, 56, 40)));
  });
  afterAll(() => decode.dispose());

  it('gives the pixels of libjpeg-turbo, off the main thread, and leaks nothing', async () => {
    (await decode(images)).dispose();
    const tensors = tf.memory().numTensors;
    const decoded = await decode(images);
    expect([decoded.shape, decoded.dtype]).toEqual([[3, 40, 56, 3], 'float32']);
    const values = await decoded.data();
    const expected = Buffer.concat(await Promise.all(images.map(raw)));
    const largest = expected.reduce((most, byte, at) => Math.max(most, Math.abs(byte / 255 - values[at]!)), 0);
    expect(largest).toBeLessThan(1e-6);
    decoded.dispose();
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it('enlarges subsampled color smoothly', async () => {
    const subsampled = await jpeg(4, 56, 40, { chromaSubsampling: '4:2:0' });
    const decoded = await decode([subsampled, subsampled, subsampled]);
    const values = await decoded.data();
    const expected = await raw(subsampled);
    const largest = expected.reduce((most, byte, at) => Math.max(most, Math.abs(byte - 255 * values[at]!)), 0);
    expect(largest).toBeLessThanOrEqual(1.01);
    decoded.dispose();
  });

  it('halves the size at ratio 2: the means of squares of pixels', async () => {
    const half = jpegDecoder({ height: 40, width: 56, ratio: 2 });
    const [large, small] = [await decode(images), await half(images)];
    expect(small.shape).toEqual([3, 20, 28, 3]);
    const difference = tf.sub(tf.avgPool(large as never, 2, 2, 'valid'), small).abs();
    expect((await difference.mean().data())[0]).toBeLessThan(0.01);
    half.dispose();
  });

  it('rounds each side up at every ratio, and keeps the mean color', async () => {
    const odd = await jpeg(6, 61, 43);
    const decodeWhole = jpegDecoder({ height: 43, width: 61 });
    const whole = await decodeWhole([odd]);
    for (const ratio of [2, 4, 8] as const) {
      const smaller = jpegDecoder({ height: 43, width: 61, ratio });
      const decoded = await smaller([odd]);
      expect(decoded.shape).toEqual([1, Math.ceil(43 / ratio), Math.ceil(61 / ratio), 3]);
      expect((await tf.sub(decoded.mean(), whole.mean()).abs().data())[0]).toBeLessThan(0.02);
      smaller.dispose();
    }
    decodeWhole.dispose();
  });

  it('says what is wrong with an image', async () => {
    const [good, other] = images as [Uint8Array, Uint8Array];
    const text = new TextEncoder().encode('this is not an image');
    await expect(decode([good, text, other])).rejects.toThrow(/[Uu]nknown image/);
    await expect(decode([good, other, good.subarray(0, good.length / 2)])).rejects.toThrow(/[Ii]nvalid JPEG|JPEG/);
    await expect(decode([await jpeg(5, 32, 32), good, other])).rejects.toThrow(/\[32,32,3\].*\[40,56,3\]/);
    await expect(decode([])).rejects.toThrow(/at least one/);
  });

  it('takes byte strings only, and ratios that there are', () => {
    expect(() => decodeJpegs(tf.zeros([2]), { height: 8, width: 8 })).toThrow(/byte strings \[batch\]; got float32/);
    const encoded = uploadStrings(images);
    expect(() => decodeJpegs(encoded, { height: 40, width: 56, ratio: 3 as never })).toThrow(/1, 2, 4 or 8; got 3/);
  });
});
