import { describe, expect, it } from 'vitest';
import { key } from '../../../src/base/index.js';
import { type SeededValue, seedSpread } from '../../../src/evaluate/statistics/seed-spread.js';

const variance = (values: readonly number[]) => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
};

/** Runs of `sizes.length` pretraining seeds, the first with `sizes[0]` fine-tuning seeds and so on. */
function runsOf(sizes: readonly number[], name: string, deviations: [number, number]): SeededValue[] {
  const generator = key(name).generator();
  return sizes.flatMap((count, pretrainingSeed) => {
    const shift = deviations[0] * generator.normal();
    return Array.from({ length: count }, (_, fineTuningSeed) => ({
      pretrainingSeed,
      fineTuningSeed,
      value: 0.8 + shift + deviations[1] * generator.normal(),
    }));
  });
}

describe('spread of seeds', () => {
  it('is that of groups and of their means where all groups are as large', () => {
    const runs = runsOf([4, 4, 4], 'balanced', [0.2, 0.01]);
    const groups = [0, 1, 2].map((seed) =>
      runs.filter((run) => run.pretrainingSeed === seed).map(({ value }) => value),
    );
    const within = groups.reduce((sum, group) => sum + variance(group), 0) / 3;
    const between = variance(groups.map((group) => group.reduce((sum, value) => sum + value, 0) / 4)) - within / 4;
    const { runs: all, pretraining, fineTuning } = seedSpread(runs);
    expect(fineTuning.value).toBeCloseTo(Math.sqrt(within), 12);
    expect(pretraining.value).toBeCloseTo(Math.sqrt(between), 12);
    expect(all.value).toBeCloseTo(Math.sqrt(variance(runs.map(({ value }) => value))), 12);
  });

  it('finds the deviations of many unequal groups', () => {
    const sizes = Array.from({ length: 2000 }, (_, seed) => 1 + (seed % 4));
    const { pretraining, fineTuning } = seedSpread(runsOf(sizes, 'unequal', [0.03, 0.02]));
    expect(pretraining.value! / 0.03).toBeCloseTo(1, 1);
    expect(fineTuning.value! / 0.02).toBeCloseTo(1, 1);
  });

  it('gives 0 where fine-tuning explains all', () => {
    const runs = [0, 1].flatMap((pretrainingSeed) => [0.7, 0.9].map((value) => ({ pretrainingSeed, value })));
    expect(seedSpread(runs).pretraining).toEqual({ value: 0 });
  });

  it('says what cannot be told apart', () => {
    expect(seedSpread(runsOf([1, 1, 1], 'mixed', [1, 1])).pretraining.reason).toContain('both seeds vary together');
    expect(seedSpread(runsOf([3], 'one', [1, 1])).pretraining).toEqual({
      value: null,
      reason: 'there is one pretraining seed',
    });
    expect(seedSpread(runsOf([1], 'single', [1, 1])).runs.value).toBeNull();
    expect(seedSpread([]).fineTuning.reason).toBe('fewer than two runs have a value');
  });
});
