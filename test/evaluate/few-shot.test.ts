import { describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { fewShot, fewShotAccuracies, nearestPrototype } from '../../src/evaluate/index.js';

/** Rows around a center for each class, on a common offset that would hide them from a plain cosine. */
function clouds(count: number, { classes, spread, seed }: { classes: number; spread: number; seed: number }) {
  const [random, width] = [key(seed).generator(), 8];
  const labels = Int32Array.from({ length: count }, (_, row) => row % classes);
  const values = new Float32Array(count * width);
  for (let place = 0; place < values.length; place++) {
    const label = labels[Math.floor(place / width)]!;
    values[place] = 100 + (place % width === label ? 1 : 0) + spread * random.normal();
  }
  return { features: { values, count, width }, labels };
}
const right = (predictions: Int32Array, labels: Int32Array) =>
  predictions.filter((prediction, row) => prediction === labels[row]).length / labels.length;

describe('prototypes', () => {
  it('tell classes apart around a common offset, and never name a class without rows', () => {
    const [train, test] = [
      clouds(60, { classes: 4, spread: 0.1, seed: 1 }),
      clouds(40, { classes: 4, spread: 0.1, seed: 2 }),
    ];
    const predictions = nearestPrototype(train.features, train.labels, test.features, { classes: 5 });
    expect(right(predictions, test.labels)).toBe(1);
    expect(predictions).not.toContain(4);
  });

  it('do not depend on the order of the training rows', () => {
    const [train, test] = [
      clouds(40, { classes: 4, spread: 0.6, seed: 3 }),
      clouds(40, { classes: 4, spread: 0.6, seed: 4 }),
    ];
    const { values, count, width } = train.features;
    const reversed = {
      features: {
        values: Float32Array.from({ length: values.length }, (_, place) => {
          const [row, column] = [Math.floor(place / width), place % width];
          return values[(count - 1 - row) * width + column]!;
        }),
        count,
        width,
      },
      labels: train.labels.slice().reverse(),
    };
    expect(nearestPrototype(reversed.features, reversed.labels, test.features, { classes: 4 })).toEqual(
      nearestPrototype(train.features, train.labels, test.features, { classes: 4 }),
    );
  });
});

describe('few shots', () => {
  const [train, test] = [
    clouds(80, { classes: 4, spread: 0.5, seed: 5 }),
    clouds(80, { classes: 4, spread: 0.5, seed: 6 }),
  ];
  const classNames = ['a', 'b', 'c', 'd'];
  const options = { classNames, shots: [1, 5, 20], draws: 6, key: key(1) };

  it('learn more from more labels, of rows drawn class by class, each draw from the rows of the one before', async () => {
    const seen: number[][] = [];
    const results = await fewShot(train.features, train.labels, test.features, {
      ...options,
      classify(features, labels, asked) {
        expect(classNames.map((_, label) => labels.filter((other) => other === label).length)).toEqual(
          classNames.map(() => labels.length / 4),
        );
        seen.push(Array.from(features.values));
        return nearestPrototype(features, labels, asked, { classes: 4 });
      },
    });
    expect(results.map(({ shots, predictions }) => [shots, predictions.length])).toEqual([
      [1, 6],
      [5, 6],
      [20, 6],
    ]);
    const accuracies = fewShotAccuracies(results, test.labels, 4);
    // As many rows of each class.
    expect(accuracies[1]!.values[2]).toBeCloseTo(right(results[1]!.predictions[2]!, test.labels), 12);
    const means = accuracies.map(({ values }) => values.reduce((sum, value) => sum + value / values.length, 0));
    expect(means[0]).toBeLessThan(means[1]!);
    expect(means[1]).toBeLessThan(means[2]!);
    // Of one draw, the row of one shot is among those of five.
    expect(seen[1]!.join()).toContain(seen[0]!.slice(0, 8).join());
    // Another draw, other rows.
    expect(seen[3]).not.toEqual(seen[0]);
  });

  it('are refused for a class with too few rows, by its name', async () => {
    const labels = train.labels.map((label, row) => (label === 2 && row > 2 ? 1 : label));
    await expect(
      fewShot(train.features, labels, test.features, { ...options, classify: () => new Int32Array() }),
    ).rejects.toThrow(/20 labels of each class are asked for, and the class c has 1 patches/);
  });
});
