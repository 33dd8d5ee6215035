import type { ClassifiedCases } from '../metrics/classified-cases.js';
import { rankingOf } from '../metrics/curves.js';
import { type Ranking, type Threshold, thresholds } from '../metrics/ranking.js';
import { drawPatients, minPatients, percentileEnds, type ResampleOptions } from './bootstrap.js';

export interface BandOptions extends ResampleOptions {
  level?: number;
}

/** A band is given at the rates 0, 1 / steps ... 1. */
const steps = 100;

/**
 * Pointwise interval of the true positive rate at false positive rates 0, .01 ... 1, by bootstrap over patients; null
 * with fewer than five patients, and where more than 5 % of the draws have cases of the class only, or none.
 *
 * @param label the positive class
 * @throws RangeError unless there are cases of the class and others
 */
export function rocBand(
  cases: ClassifiedCases,
  label: number,
  options: BandOptions,
): { falsePositiveRate: number; low: number; high: number }[] | null {
  const ranking = rankingOf(cases, label, 'ROC');
  const ends = bandOf(ranking, cases.patients.length, options, (points) => {
    const { truePositives: positives, falsePositives: negatives } = points.at(-1)!;
    let at = -1;
    return (step) => {
      const wanted = (step * negatives) / steps;
      while (at + 1 < points.length && points[at + 1]!.falsePositives <= wanted) at++;
      const { truePositives, falsePositives } = points[at] ?? { truePositives: 0, falsePositives: 0 };
      const next = points[at + 1];
      if (!next) return 1;
      // Between the ends of a tie, the curve is straight.
      const part = (wanted - falsePositives) / (next.falsePositives - falsePositives);
      return (truePositives + part * (next.truePositives - truePositives)) / positives;
    };
  });
  return ends?.map((end, step) => ({ falsePositiveRate: step / steps, ...end })) ?? null;
}

/**
 * Pointwise interval of the precision at recalls 0, .01 ... 1, each at the highest threshold that reaches it, by bootstrap
 * over patients; null with fewer than five patients, and where more than 5 % of the draws have cases of the class only, or
 * none.
 *
 * @param label the positive class
 * @throws RangeError unless there are cases of the class and others
 */
export function precisionRecallBand(
  cases: ClassifiedCases,
  label: number,
  options: BandOptions,
): { recall: number; low: number; high: number }[] | null {
  const ranking = rankingOf(cases, label, 'precision-recall');
  const ends = bandOf(ranking, cases.patients.length, options, (points) => {
    const positives = points.at(-1)!.truePositives;
    let at = 0;
    return (step) => {
      while (points[at]!.truePositives < (step * positives) / steps) at++;
      return points[at]!.truePositives / (points[at]!.truePositives + points[at]!.falsePositives);
    };
  });
  return ends?.map((end, step) => ({ recall: step / steps, ...end })) ?? null;
}

/** Percentiles, at each step, of curves of the draws; `curve` is asked for increasing steps. */
function bandOf(
  ranking: Ranking,
  patients: number,
  { level = 0.95, ...options }: BandOptions,
  curve: (points: readonly Threshold[]) => (step: number) => number,
): { low: number; high: number }[] | null {
  if (patients < minPatients) return null;
  const values: number[][] = Array.from({ length: steps + 1 }, () => []);
  for (const draws of drawPatients(patients, options)) {
    const points = thresholds(ranking, draws).filter(
      ({ truePositives, falsePositives }) => truePositives + falsePositives > 0,
    );
    const { truePositives, falsePositives } = points.at(-1)!;
    const at = truePositives * falsePositives === 0 ? () => Number.NaN : curve(points);
    for (const [step, of] of values.entries()) of.push(at(step));
  }
  const ends = values.map((of) => percentileEnds(Float64Array.from(of), level));
  return ends.every((end): end is { low: number; high: number } => end !== null) ? ends : null;
}
