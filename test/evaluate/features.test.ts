import { describe, expect, it } from 'vitest';
import { tf } from '../../src/engine/index.js';
import { colorHistogramFeatures, extractFeatures, knnClassify, onlineKnn } from '../../src/evaluate/index.js';
import { InterruptedError, key } from '../../src/runs/index.js';

function randomPatches(count: number, size: number) {
  const generator = key('patches').generator();
  return { images: Uint8Array.from({ length: count * size * size * 3 }, () => generator.integer(256)), count, size };
}

describe('extractFeatures', () => {
  const patches = randomPatches(11, 4);
  const flatten = (images: ReturnType<typeof tf.zeros>) => images.reshape([images.shape[0]!, -1]);

  it('gives every patch to the backbone once, in order and in 0..1, whatever the batch size', async () => {
    const expected = Float32Array.from(patches.images, (byte) => Math.fround(byte / 255));
    for (const batchSize of [1, 4, 11, 64]) {
      const seen: number[] = [];
      const features = await extractFeatures(patches, flatten, { batchSize, onProgress: (done) => seen.push(done) });
      expect(features).toMatchObject({ count: 11, width: 48 });
      expect(features.values).toEqual(expected);
      expect(seen).toHaveLength(Math.ceil(11 / batchSize));
      expect(seen.at(-1)).toBe(11);
    }
  });

  it('stops when asked to, leaves no tensors behind, and gives the event loop its turns', async () => {
    await extractFeatures(patches, flatten, { batchSize: 1 });
    const before = tf.memory().numTensors;
    const controller = new AbortController();
    let batches = 0;
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const job = extractFeatures(
      randomPatches(2000, 4),
      (images) => {
        if (++batches === 1500) controller.abort();
        return flatten(images);
      },
      { batchSize: 1, signal: controller.signal },
    );
    await expect(job).rejects.toThrow(InterruptedError);
    clearInterval(timer);
    expect(batches).toBe(1500);
    expect(turns).toBeGreaterThan(5);
    await expect(
      extractFeatures(patches, () => {
        throw new Error('the backbone failed');
      }),
    ).rejects.toThrow('the backbone failed');
    expect(tf.memory().numTensors).toBe(before);
  });

  it('says what is wrong with bytes and features of the wrong shape', async () => {
    await expect(extractFeatures({ ...patches, count: 12 }, flatten)).rejects.toThrow(/528 bytes are not 12 patches/);
    await expect(extractFeatures(patches, (images) => images.clone())).rejects.toThrow(
      /\[11,4,4,3\] of 11 images; it should be \[11, width\]/,
    );
  });
});

describe('onlineKnn', () => {
  it('equals extracting features and classifying them', async () => {
    const bank = { ...randomPatches(30, 4), labels: Int32Array.from({ length: 30 }, (_, row) => row % 3) };
    const queries = { ...randomPatches(9, 4), labels: Int32Array.from({ length: 9 }, (_, row) => row % 3) };
    const backbone = (images: ReturnType<typeof tf.zeros>) => images.mean([1, 2]).sub(0.5);
    const online = await onlineKnn({ bank, queries }, backbone, { neighbors: 1, classes: 3, batchSize: 7 });
    const apart = await knnClassify(
      await extractFeatures(bank, backbone),
      bank.labels,
      await extractFeatures(queries, backbone),
      queries.labels,
      { neighbors: 1, classes: 3 },
    );
    expect(online.predictions).toEqual(apart.predictions);
    // The queries are the bank's first rows.
    expect(online.accuracy).toBe(1);
    expect(online.bankFeatures.count).toBe(30);
  });
});

describe('knnClassify', () => {
  const bank = { values: Float32Array.of(1, 0, 0, 1), count: 2, width: 2 };
  const labels = Int32Array.of(0, 1);

  it('does not care how long the vectors are', async () => {
    const queries = { values: Float32Array.of(1e-3, 2e-3, 5000, 10), count: 2, width: 2 };
    const result = await knnClassify(bank, labels, queries, Int32Array.of(1, 0), { neighbors: 2, classes: 2 });
    expect(result.accuracy).toBe(1);
  });

  it('compares in blocks with the same result', async () => {
    const generator = key('blocks').generator();
    const random = (count: number) => ({
      values: Float32Array.from({ length: count * 3 }, () => generator.normal()),
      count,
      width: 3,
    });
    // 9,000 bank rows hold 1,864 queries a block: two blocks.
    const train = random(9000);
    const trainLabels = Int32Array.from({ length: 9000 }, (_, row) => Number(train.values[row * 3]! > 0));
    const test = random(2000);
    const testLabels = Int32Array.from({ length: 2000 }, (_, row) => Number(test.values[row * 3]! > 0));
    const whole = await knnClassify(train, trainLabels, test, testLabels, { classes: 2 });
    expect(whole.accuracy).toBeGreaterThan(0.97);
    const last = { values: test.values.slice(1900 * 3), count: 100, width: 3 };
    const part = await knnClassify(train, trainLabels, last, testLabels.slice(1900), { classes: 2 });
    expect(part.predictions).toEqual(whole.predictions.slice(1900));
  });

  it('refuses what cannot be classified, saying where', async () => {
    const queries = { values: Float32Array.of(1, 0), count: 1, width: 2 };
    const zero = Int32Array.of(0);
    const options = { neighbors: 1, classes: 2 };
    await expect(knnClassify(bank, labels, queries, zero, { classes: 2 })).rejects.toThrow(/20 neighbors.*bank of 2/);
    await expect(knnClassify(bank, Int32Array.of(0, -1), queries, zero, options)).rejects.toThrow(
      /train labels: row 1 has the label -1/,
    );
    await expect(knnClassify(bank, labels, queries, labels, options)).rejects.toThrow(/test labels: 2 labels for 1/);
    const wide = { values: Float32Array.of(1, 0, 0), count: 1, width: 3 };
    await expect(knnClassify(bank, labels, wide, zero, options)).rejects.toThrow(/width 3.*width 2/);
    const broken = { values: Float32Array.of(1, Number.NaN), count: 1, width: 2 };
    await expect(knnClassify(bank, labels, broken, zero, options)).rejects.toThrow(/row 0 holds NaN/);
  });
});

describe('colorHistogramFeatures', () => {
  it('counts pixels by color, wherever they lie', () => {
    const images = Uint8Array.of(
      ...[255, 0, 0, 255, 10, 0, 0, 0, 255, 0, 0, 255],
      ...[0, 0, 250, 254, 0, 0, 0, 0, 255, 250, 0, 9],
    );
    const { values, width, count } = colorHistogramFeatures({ images, count: 2, size: 2 }, 4);
    expect({ width, count }).toEqual({ width: 64, count: 2 });
    expect(values.slice(0, 64)).toEqual(values.slice(64));
    expect(values[3 * 16]).toBeCloseTo(Math.sqrt(1 / 2), 6);
    expect(values[3]).toBeCloseTo(Math.sqrt(1 / 2), 6);
    expect(values.slice(0, 64).reduce((sum, value) => sum + value * value, 0)).toBeCloseTo(1, 6);
  });
});
