import { describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { alignment, type Features, uniformity } from '../../src/evaluate/index.js';

const features = (rows: readonly (readonly number[])[]): Features => ({
  values: Float32Array.from(rows.flat()),
  count: rows.length,
  width: rows[0]!.length,
});
const random = (count: number, width: number) => {
  const generator = key('features').generator();
  return features(Array.from({ length: count }, () => Array.from({ length: width }, () => generator.normal())));
};

describe('alignment', () => {
  it('is the mean squared distance of directions, whatever the lengths', () => {
    const first = features([
      [1, 0],
      [0, 2],
    ]);
    expect(alignment(first, first)).toBeCloseTo(0, 6);
    const [opposite, turned] = [
      [-3, 0],
      [1, 0],
    ] as const;
    // 4 for opposite directions, 2 for a right angle.
    expect(alignment(first, features([opposite, turned]))).toBeCloseTo(3, 5);
  });

  it('refuses views of other images', () => {
    expect(() =>
      alignment(
        features([[1, 0]]),
        features([
          [1, 0],
          [0, 1],
        ]),
      ),
    ).toThrow(/\[1, 2\] and \[2, 2\]/);
  });
});

describe('uniformity', () => {
  it('is 0 for a collapse, and the mean of pairs otherwise', () => {
    expect(
      uniformity(
        features([
          [1, 1],
          [2, 2],
          [3, 3],
        ]),
      ),
    ).toBeCloseTo(0, 5);
    const three = features([
      [1, 0],
      [0, 1],
      [-1, 0],
    ]);
    const expected = Math.log((2 * Math.exp(-4) + Math.exp(-8)) / 3);
    expect(uniformity(three)).toBeCloseTo(expected, 5);
  });

  it('is about -4 where features are spread over a sphere of many dimensions', () => {
    expect(uniformity(random(500, 256))).toBeCloseTo(-4, 1);
  });

  it('is not defined for one image, and 0 for features of 0', () => {
    expect(uniformity(features([[1, 0]]))).toBeNaN();
    expect(
      uniformity(
        features([
          [0, 0],
          [0, 0],
        ]),
      ),
    ).toBe(0);
  });
});
