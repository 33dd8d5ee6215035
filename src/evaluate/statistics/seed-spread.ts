import type { MetricValue } from '../metrics/metric.js';
import { standardDeviation } from './bootstrap.js';

/** A metric of a run, and the seeds that the run came from. */
export interface SeededValue {
  value: number;
  /** Undefined for a backbone that was not pretrained by a seed of ours, such as ImageNet's. */
  pretrainingSeed?: number;
  fineTuningSeed?: number;
}

/** Standard deviations of a metric, by source. */
export interface SeedSpread {
  /** Over all runs, whatever their seeds. */
  runs: MetricValue;
  /** Over pretraining seeds, without the part that fine-tuning seeds have in it. */
  pretraining: MetricValue;
  /** Over fine-tuning seeds of the same pretraining seed. */
  fineTuning: MetricValue;
}

/**
 * Splits the variance of a metric over runs into that of pretraining and of fine-tuning seeds (a nested random-effects
 * analysis of variance; Searle, Casella and McCulloch, "Variance components", 1992, section 3.6). An estimate below 0 is
 * given as 0.
 */
export function seedSpread(runs: readonly SeededValue[]): SeedSpread {
  const groups = new Map<number | undefined, number[]>();
  for (const { pretrainingSeed, value } of runs) {
    groups.set(pretrainingSeed, [...(groups.get(pretrainingSeed) ?? []), value]);
  }
  const [count, seeds] = [runs.length, groups.size];
  if (count < 2) {
    const none = { value: null, reason: 'fewer than two runs have a value' } as const;
    return { runs: none, pretraining: none, fineTuning: none };
  }
  const all = { value: standardDeviation(runs.map(({ value }) => value)) };
  if (count === seeds) {
    const none = { value: null, reason: 'each pretraining seed has one run, so both seeds vary together' } as const;
    return { runs: all, pretraining: none, fineTuning: none };
  }
  const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const mean = meanOf(runs.map(({ value }) => value));
  let [within, between, squaredSizes] = [0, 0, 0];
  for (const values of groups.values()) {
    const own = meanOf(values);
    within += values.reduce((sum, value) => sum + (value - own) ** 2, 0);
    between += values.length * (own - mean) ** 2;
    squaredSizes += values.length ** 2;
  }
  within /= count - seeds;
  const fineTuning = { value: Math.sqrt(within) };
  const size = (count - squaredSizes / count) / (seeds - 1);
  const pretraining: MetricValue =
    seeds === 1
      ? { value: null, reason: 'there is one pretraining seed' }
      : { value: Math.sqrt(Math.max(0, between / (seeds - 1) - within) / size) };
  return { runs: all, pretraining, fineTuning };
}
