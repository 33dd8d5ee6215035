import { describe, expect, it } from 'vitest';
import { growth, runProbe } from '../../bench/training-probe/run.mjs';

const settings = { batch: 8, side: 32, width: 0.125, precision: 'float32', optimizer: 'adamw' };

describe('a training in a process of its own', () => {
  it('gives the same bits as the same training in another, and other bits with another precision', async () => {
    // At once, so that they disturb each other's threads.
    const [one, other, low] = await Promise.all([
      runProbe({ ...settings, steps: 6 }),
      runProbe({ ...settings, steps: 6 }),
      runProbe({ ...settings, steps: 6, precision: 'bfloat16' }),
    ]);
    expect(other.hash).toBe(one.hash);
    expect(low.hash).not.toBe(one.hash);
    // What decides the order of sums is part of what is known of a run.
    expect(one.device.threads).toEqual({ intraOp: expect.any(Number), interOp: expect.any(Number) });
  }, 120_000);

  it('keeps its tensors and its memory (1,000 steps: npm run campaign -- leaks)', async () => {
    const { seen } = await runProbe({ ...settings, steps: 150, watch: 'in use' });
    // At the last step no batch is made ahead.
    for (const counts of [seen.tensors, seen.native]) expect(new Set(counts.slice(0, -1)).size).toBe(1);
    expect(growth(seen, 50)).toBeLessThan(0.02);
  }, 120_000);
});

describe('growth', () => {
  const steps = Array.from({ length: 100 }, (_, place) => 10 * place);

  it('tells a leak from noise', () => {
    const noisy = steps.map((step) => 500 + (step % 70 === 0 ? 40 : 0) + (step < 50 ? -100 : 0));
    expect(growth({ steps, megabytes: noisy }, 50)).toBe(0);
    const leaking = steps.map((step) => 500 + step / 100);
    expect(growth({ steps, megabytes: leaking }, 50)).toBeGreaterThan(0.015);
  });
});
