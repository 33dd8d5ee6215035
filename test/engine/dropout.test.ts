import { describe, expect, it } from 'vitest';
import { type Key, key } from '../../src/base/index.js';
import { compile, dropout, dropPath, type Tensor, tf } from '../../src/engine/index.js';
import { checkGradient } from './numeric-gradient.js';

const values = (tensor: Tensor) => Array.from(tensor.dataSync());

describe('dropout', () => {
  it('drops that share of the values, and lets the others grow so that the mean stays', () => {
    const y = values(dropout(tf.ones([100, 100]), 0.4, key(1)));
    expect(new Set(y.map((value) => value.toFixed(5)))).toEqual(new Set(['0.00000', (1 / 0.6).toFixed(5)]));
    // Three standard deviations of 10,000 draws.
    expect(Math.abs(y.filter((value) => value === 0).length / 10_000 - 0.4)).toBeLessThan(0.015);
  });

  it('drops the same for the same key, in a compiled step too', async () => {
    const x = tf.ones([50]);
    const plain = values(dropout(x, 0.5, key(1).fold('layer')));
    expect(values(dropout(x, 0.5, key(1).fold('layer')))).toEqual(plain);
    expect(values(dropout(x, 0.5, key(1).fold('other')))).not.toEqual(plain);
    const step = compile((x: Tensor, random: Key) => dropout(x, 0.5, random.fold('layer')));
    expect(values(await step(x, key(1)))).toEqual(plain);
    expect(values(await step(x, key(2)))).not.toEqual(plain);
  });

  it('lets the gradient through where it lets values through', async () => {
    const x = tf.ones([20]);
    const drop = (x: Tensor) => dropout(x, 0.5, key(3));
    expect(values(tf.grad((x: Tensor) => drop(x).sum())(x))).toEqual(values(drop(x)));
    await checkGradient(([x]) => dropout(x!, 0.3, key(1)), [[4, 5]]);
    await checkGradient(([x]) => dropPath(x!, 0.3, key(1)), [[6, 2, 2]]);
  });

  it('of rate 0 changes nothing, and gives a tensor of its own', () => {
    const x = tf.tensor1d([1, 2]);
    const y = dropout(x, 0, key(1));
    x.dispose();
    expect(values(y)).toEqual([1, 2]);
  });

  it('refuses a rate that is none', () => {
    for (const rate of [1, -0.1, Number.NaN]) expect(() => dropout(tf.ones([2]), rate, key(1))).toThrow(/rate.*got/);
  });
});

describe('dropPath', () => {
  it('drops whole samples', () => {
    const y = dropPath(tf.ones([200, 2, 3]), 0.25, key(1));
    const samples = y.reshape([200, 6]).arraySync() as number[][];
    for (const sample of samples) expect(new Set(sample).size).toBe(1);
    const dropped = samples.filter(([value]) => value === 0).length;
    expect(dropped).toBeGreaterThan(30);
    expect(dropped).toBeLessThan(70);
    expect(Math.max(...values(y))).toBeCloseTo(1 / 0.75, 5);
  });
});
