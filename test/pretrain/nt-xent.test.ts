import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { randomNormal, type Tensor, tf } from '../../src/engine/index.js';
import { ntXent } from '../../src/pretrain/index.js';

interface Case {
  temperature: number;
  first: number[][];
  second: number[][];
  loss: number;
  firstGradient: number[][];
  secondGradient: number[][];
}

const cases = JSON.parse(
  readFileSync(new URL('../fixtures/torch-nt-xent/nt-xent.json', import.meta.url), 'utf8'),
) as Case[];
const lossOf = (first: Tensor, second: Tensor, temperature = 0.1) =>
  ntXent(first, second, temperature).loss.dataSync()[0]!;
const rows = (seed: number, count = 16, size = 32) => randomNormal(key(seed), [count, size]);

function relativeError(actual: Tensor, expected: number[][]): number {
  const values = actual.dataSync();
  const flat = expected.flat();
  return Math.hypot(...flat.map((value, index) => value - values[index]!)) / Math.hypot(...flat);
}

describe('ntXent', () => {
  it.each(cases)('equals equation 1 in PyTorch, with its gradients (case %#)', (reference) => {
    const first = tf.tensor2d(reference.first);
    const second = tf.tensor2d(reference.second);
    const compute = (a: Tensor, b: Tensor) => ntXent(a, b, reference.temperature).loss.asScalar();
    const { value, grads } = tf.valueAndGrads(compute)([first, second]);
    expect(Math.abs(value.dataSync()[0]! / reference.loss - 1)).toBeLessThan(1e-5);
    expect(relativeError(grads[0]!, reference.firstGradient)).toBeLessThan(1e-4);
    expect(relativeError(grads[1]!, reference.secondGradient)).toBeLessThan(1e-4);
  });

  it('is log(2N - 1) at chance', () => {
    const count = 256;
    const [first, second] = [rows(1, count, 4096), rows(2, count, 4096)];
    expect(lossOf(first, second, 1)).toBeCloseTo(Math.log(2 * count - 1), 1);
    expect(ntXent(first, second, 1).accuracy.dataSync()[0]).toBeLessThan(0.05);
  });

  it('does not mind the order of images, which view comes first, or the lengths of the vectors', () => {
    const [first, second] = [rows(1), rows(2)];
    const loss = lossOf(first, second);
    const order = tf.tensor1d([...Array(16).keys()].reverse(), 'int32');
    expect(lossOf(tf.gather(first, order), tf.gather(second, order))).toBeCloseTo(loss, 4);
    expect(lossOf(second, first)).toBeCloseTo(loss, 4);
    expect(lossOf(first.mul(7), second.mul(0.1))).toBeCloseTo(loss, 4);
  });

  it('knows which two views belong together', () => {
    const first = rows(1);
    const near = first.add(rows(2).mul(0.1));
    const shifted = tf.concat([near.slice([1], [15]), near.slice([0], [1])]);
    expect(lossOf(first, near)).toBeLessThan(0.5);
    expect(lossOf(first, shifted)).toBeGreaterThan(4);
    expect(ntXent(first, near, 0.1).accuracy.dataSync()[0]).toBe(1);
    expect(ntXent(first, shifted, 0.1).accuracy.dataSync()[0]).toBe(0);
  });

  it('lets no view choose itself', () => {
    // Each view equals itself and is opposite to its partner: if it could choose itself, the loss would be far higher.
    const first = rows(1, 2, 64);
    const second = first.neg();
    const expected = Math.log(Math.exp(-2) + 2 * Math.exp(0)) + 2;
    // The two images are nearly orthogonal in 64 dimensions; temperature .5 keeps what remains small.
    expect(Math.abs(lossOf(first, second, 0.5) - expected)).toBeLessThan(0.1);
  });

  it('pulls a pair together', () => {
    let [first, second] = [rows(1, 4, 8) as Tensor, rows(2, 4, 8) as Tensor];
    const before = lossOf(first, second, 0.5);
    for (let step = 0; step < 20; step++) {
      const { grads } = tf.valueAndGrads((a: Tensor, b: Tensor) => ntXent(a, b, 0.5).loss.asScalar())([first, second]);
      [first, second] = [first.sub(grads[0]!), second.sub(grads[1]!)];
    }
    expect(lossOf(first, second, 0.5)).toBeLessThan(before - 0.5);
  });

  it('refuses what it cannot compare', () => {
    expect(() => ntXent(rows(1, 4), rows(2, 5), 0.1)).toThrow(/\[4,32\] and \[5,32\]/);
    expect(() => ntXent(rows(1, 1), rows(2, 1), 0.1)).toThrow(/at least two images/);
    expect(() => ntXent(rows(1), rows(2), 0)).toThrow(/temperature must be above 0; got 0/);
  });
});
