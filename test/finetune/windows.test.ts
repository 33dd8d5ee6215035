import { describe, expect, it } from 'vitest';
import { BlendedRows } from '../../src/finetune/blended-rows.js';
import { TissueRows } from '../../src/finetune/tissue-rows.js';
import { windowAxis } from '../../src/finetune/windows.js';

const cases = [
  [1000, 256, 64],
  [1000, 256, 0],
  [1000, 256, 255],
  [257, 256, 128],
  [256, 256, 128],
  [100, 256, 128],
  [1, 7, 3],
  [4097, 512, 200],
] as const;

describe('windowAxis', () => {
  it.each(cases)('covers %i px by windows of %i px with %i px in common', (length, size, overlap) => {
    const { starts } = windowAxis(length, size, overlap);
    expect(starts[0]).toBe(0);
    expect(starts.at(-1)).toBe(Math.max(0, length - size));
    for (const [place, start] of starts.slice(1).entries()) {
      const step = start - starts[place]!;
      expect(step).toBeGreaterThan(0);
      expect(step).toBeLessThanOrEqual(size - overlap);
      if (place < starts.length - 2) expect(step).toBe(size - overlap);
    }
  });

  it.each(cases)(
    'weights add up to 1 at each of %i px (windows of %i px, %i px in common)',
    (length, size, overlap) => {
      const { starts, weights } = windowAxis(length, size, overlap);
      const sums = new Float64Array(length);
      for (const [window, start] of starts.entries()) {
        for (const [pixel, weight] of weights[window]!.entries()) {
          expect(weight).toBeGreaterThan(0);
          if (start + pixel < length) sums[start + pixel]! += weight;
        }
      }
      for (const sum of sums) expect(Math.abs(sum - 1)).toBeLessThan(1e-6);
    },
  );

  it('weights fall toward the edges that a window has in common with others', () => {
    const { weights } = windowAxis(448, 256, 64);
    const [, second] = weights as [Float32Array, Float32Array];
    expect(second[0]).toBeLessThan(0.001);
    for (let pixel = 1; pixel < 64; pixel++) expect(second[pixel]).toBeGreaterThan(second[pixel - 1]!);
    expect(second[64]).toBe(1);
    // Both count the same in the middle.
    expect(second[31]! + second[32]!).toBeCloseTo(1, 6);
  });
});

describe('BlendedRows', () => {
  it('averages what the windows over a pixel say', () => {
    const [columns, rows] = [windowAxis(6, 4, 2), windowAxis(4, 4, 2)];
    const blended = new BlendedRows({ columns, rows, size: 4, classes: 2 });
    const certain = (share: number) => Float32Array.from({ length: 32 }, (_, at) => (at % 2 === 0 ? share : 1 - share));
    // In the two columns in common the first window's say falls from 0.85 to 0.15.
    blended.add(certain(0.9), 0, 0);
    blended.add(certain(0.2), 1, 0);
    const tissue = new TissueRows(null, { width: 6, height: 4 }, 1);
    expect([...blended.take(4, tissue, 255)]).toEqual(Array.from({ length: 4 }, () => [0, 0, 0, 1, 1, 1]).flat());
  });

  it('refuses windows out of turn, and probabilities that are no numbers', () => {
    const axis = windowAxis(8, 4, 0);
    const blended = new BlendedRows({ columns: axis, rows: axis, size: 4, classes: 2 });
    const tissue = new TissueRows(null, { width: 8, height: 8 }, 1);
    const some = new Float32Array(32).fill(0.5);
    expect(() => blended.add(some, 0, 1)).toThrow(/window row 1 is not the one under way/);
    blended.add(new Float32Array(32).fill(Number.NaN), 1, 0);
    expect(() => blended.take(4, tissue, 255)).toThrow(/probabilities at \(4, 0\) are not numbers/);
  });
});
