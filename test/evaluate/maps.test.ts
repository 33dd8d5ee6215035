import { describe, expect, it } from 'vitest';
import { InterruptedError, key } from '../../src/base/index.js';
import { tf } from '../../src/engine/index.js';
import { embeddingMap, type Features, featureStd, knnClassify, rankMe } from '../../src/evaluate/index.js';

function groups(
  count: number,
  each: number,
  width: number,
  spread: number,
): { features: Features; labels: Int32Array } {
  const generator = key('groups').generator();
  const centers = Array.from({ length: count * width }, () => generator.normal());
  const values = Float32Array.from(
    { length: count * each * width },
    (_, index) => centers[Math.floor(index / (each * width)) * width + (index % width)]! + spread * generator.normal(),
  );
  const labels = Int32Array.from({ length: count * each }, (_, row) => Math.floor(row / each));
  return { features: { values, count: count * each, width }, labels };
}

describe('embeddingMap', () => {
  const { features, labels } = groups(4, 30, 16, 0.3);

  it('keeps groups together, and is the same for the same key', async () => {
    const map = await embeddingMap(features, key(1));
    expect(map).toHaveLength(240);
    expect(map.every(Number.isFinite)).toBe(true);
    expect(await embeddingMap(features, key(1))).toEqual(map);
    expect(await embeddingMap(features, key(2))).not.toEqual(map);
    const point = (row: number) => [map[2 * row]!, map[2 * row + 1]!] as const;
    const distance = (a: number, b: number) => Math.hypot(point(a)[0] - point(b)[0], point(a)[1] - point(b)[1]);
    for (let row = 0; row < features.count; row++) {
      const nearest = Array.from({ length: features.count }, (_, other) => other)
        .filter((other) => other !== row)
        .sort((a, b) => distance(row, a) - distance(row, b))[0]!;
      expect(labels[nearest]).toBe(labels[row]);
    }
  });

  it('takes equal points', async () => {
    const equal = { values: new Float32Array(40 * 3).fill(1), count: 40, width: 3 };
    const map = await embeddingMap(equal, key(1), { epochs: 50 });
    expect(map.every(Number.isFinite)).toBe(true);
  });

  it('refuses too few points, saying what to do', async () => {
    const few = { values: features.values.slice(0, 15 * 16), count: 15, width: 16 };
    await expect(embeddingMap(few, key(1))).rejects.toThrow(/more than 15 points; got 15.*fewer neighbors/);
    expect(await embeddingMap(few, key(1), { neighbors: 5, epochs: 50 })).toHaveLength(30);
  });

  it('stops when asked to, and leaves no tensors behind', async () => {
    const before = tf.memory().numTensors;
    const controller = new AbortController();
    const job = embeddingMap(features, key(1), { epochs: 1e6, signal: controller.signal });
    setTimeout(() => controller.abort(), 100);
    await expect(job).rejects.toThrow(InterruptedError);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('collapse monitors', () => {
  const random = (count: number, width: number) => groups(count, 1, width, 0).features;

  it('are at their ends for spread and for collapsed embeddings', () => {
    const spread = random(2000, 32);
    expect(featureStd(spread)).toBeCloseTo(1, 1);
    expect(rankMe(spread)).toBeGreaterThan(30);
    const collapsed = { values: Float32Array.from({ length: 320 }, (_, i) => (i % 32) + 1), count: 10, width: 32 };
    expect(featureStd(collapsed)).toBeLessThan(1e-3);
    expect(rankMe(collapsed)).toBeLessThan(1.01);
    const zeros = { values: new Float32Array(320), count: 10, width: 32 };
    expect(featureStd(zeros)).toBe(0);
    expect(featureStd({ ...zeros, values: zeros.values.slice(0, 32), count: 1 })).toBeNaN();
  });

  it('RankMe counts equal independent directions', () => {
    const width = 12;
    const values = new Float32Array(width * width);
    for (let axis = 0; axis < 5; axis++) values[axis * width + axis] = 3;
    expect(rankMe({ values, count: width, width })).toBeCloseTo(5, 3);
    expect(rankMe({ values: new Float32Array(4), count: 2, width: 2 })).toBe(1);
  });
});

describe('kNN on the features of two groups', () => {
  it('tells them apart by their labels, and not by shuffled ones', async () => {
    const { features, labels } = groups(2, 100, 8, 0.5);
    const half = (start: number): Features => ({
      values: Float32Array.from(
        { length: 100 * 8 },
        (_, i) => features.values[(2 * Math.floor(i / 8) + start) * 8 + (i % 8)]!,
      ),
      count: 100,
      width: 8,
    });
    const halfLabels = labels.filter((_, row) => row % 2 === 0);
    const told = await knnClassify(half(0), halfLabels, half(1), halfLabels, { classes: 2 });
    expect(told.accuracy).toBeGreaterThan(0.9);
    const shuffled = key(1).generator().shuffle(halfLabels.slice());
    const chance = await knnClassify(half(0), shuffled, half(1), halfLabels, { classes: 2 });
    expect(chance.accuracy).toBeLessThan(0.7);
  });
});
