import { describe, expect, it } from 'vitest';
import { key } from '../../src/base/key.js';

describe('key', () => {
  it('gives the same numbers for the same seed and path, whoever else drew before', () => {
    const draw = () =>
      Array.from(
        { length: 5 },
        (
          (g) => () =>
            g.uniform()
        )(key(7).fold('views').fold(3).generator()),
      );
    const first = draw();
    key(7).fold('views').generator().normal();
    expect(draw()).toEqual(first);
  });

  it('keeps paths apart: names, numbers, order and depth all matter', () => {
    const paths = [
      key(1),
      key('1'),
      key(1).fold(1),
      key(1).fold('1'),
      key(1).fold('a').fold('b'),
      key(1).fold('b').fold('a'),
      key(1).fold('ab'),
      key(2),
    ];
    expect(new Set(paths.map(String)).size).toBe(paths.length);
  });

  it('refuses seeds that are not exact', () => {
    expect(() => key(0.5)).toThrow(/safe integer.*0\.5/);
    expect(() => key(Number.NaN)).toThrow(/NaN/);
    expect(() => key(1).fold(2 ** 60)).toThrow(/safe integer/);
  });

  it('draws uniform and normal numbers with the right moments', () => {
    const generator = key('moments').generator();
    const count = 200_000;
    const moments = (draw: () => number) => {
      let sum = 0;
      let squares = 0;
      for (let index = 0; index < count; index++) {
        const value = draw();
        sum += value;
        squares += value * value;
      }
      const mean = sum / count;
      return { mean, variance: squares / count - mean * mean };
    };
    const uniform = moments(() => generator.uniform());
    expect(uniform.mean).toBeCloseTo(1 / 2, 2);
    expect(uniform.variance).toBeCloseTo(1 / 12, 2);
    const normal = moments(() => generator.normal());
    expect(Math.abs(normal.mean)).toBeLessThan(0.01);
    expect(Math.abs(normal.variance - 1)).toBeLessThan(0.02);
  });

  it('draws each whole number equally often, and streams of sibling keys do not correlate', () => {
    const counts = new Array<number>(7).fill(0);
    let agree = 0;
    for (let sibling = 0; sibling < 7000; sibling++) {
      const value = key(3).fold(sibling).generator().integer(7);
      counts[value]!++;
      if (
        value ===
        key(3)
          .fold(sibling + 1)
          .generator()
          .integer(7)
      )
        agree++;
    }
    const chiSquared = counts.reduce((sum, seen) => sum + (seen - 1000) ** 2 / 1000, 0);
    expect(chiSquared).toBeLessThan(22.5); // 6 degrees of freedom, p = 0.001
    expect(Math.abs(agree - 1000)).toBeLessThan(100);
  });

  it('shuffles into a permutation, and every item can come first', () => {
    const firsts = new Set<number>();
    for (let index = 0; index < 200; index++) {
      const order = key(4)
        .fold(index)
        .generator()
        .shuffle(Int32Array.of(0, 1, 2, 3, 4));
      expect([...order].sort()).toEqual([0, 1, 2, 3, 4]);
      firsts.add(order[0]!);
    }
    expect(firsts.size).toBe(5);
  });
});
