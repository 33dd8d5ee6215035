import { describe, expect, it } from 'vitest';
import { atOnce, key } from '../../../src/base/index.js';
import { classificationMetrics } from '../../../src/evaluate/index.js';
import type { PatientMetric } from '../../../src/evaluate/metrics/metric.js';
import {
  bootstrapPValue,
  bootstrapValues,
  drawPatients,
  percentileEnds,
  standardError,
} from '../../../src/evaluate/statistics/bootstrap.js';
import { normalCdf, studentWithin } from '../../../src/evaluate/statistics/distributions.js';
import { pickCases, simulatedCases } from '../metrics/hashed.js';

const resamples = 2000;

describe('bootstrap over patients', () => {
  it('draws as many patients as there are, alike for the same key', () => {
    const counts = new Float64Array(7);
    let draws = 0;
    for (const drawn of drawPatients(7, { resamples, key: key(1) })) {
      expect(drawn.reduce((sum, times) => sum + times, 0)).toBe(7);
      drawn.forEach((times, patient) => {
        counts[patient]! += times;
      });
      draws++;
    }
    expect(draws).toBe(resamples);
    for (const count of counts) expect(Math.abs(count / resamples - 1)).toBeLessThan(0.1);
    const all = (seed: number) => [...drawPatients(3, { resamples, key: key(seed) })].map((drawn) => drawn.slice());
    expect(all(1)).toEqual(all(1));
    expect(all(1)).not.toEqual(all(2));
  });

  // Log-odds of a case: effect times its class, and its patient's and its own normal values of variance 1 + .49 + .25.
  const areaOf = (effect: number) => normalCdf(effect / Math.sqrt(2 * 1.74));
  const effects = [1.6, 1];

  it('covers the true AUROC and the true difference of two about as often as it says', { timeout: 120_000 }, () => {
    const generator = key('coverage').generator();
    const experiments = 250;
    const truths = [areaOf(1.6), areaOf(1.6) - areaOf(1)];
    const covered = [0, 0];
    for (let experiment = 0; experiment < experiments; experiment++) {
      const arms = simulatedCases(generator, { patients: 50, each: 6, effects });
      const metrics = arms.map((cases) => classificationMetrics.auroc.of(cases));
      const [one, other] = atOnce(bootstrapValues(metrics, 50, { resamples, key: key(experiment) }));
      const differences = one!.map((value, draw) => value - other![draw]!);
      for (const [place, values] of [one!, differences].entries()) {
        const { low, high } = percentileEnds(values, 0.9)!;
        if (low <= truths[place]! && truths[place]! <= high) covered[place]!++;
      }
    }
    // Standard error of the coverage: .019.
    for (const count of covered) expect(Math.abs(count / experiments - 0.9)).toBeLessThan(0.055);
  });

  it.each([20, 50])(
    'rejects a true difference of 0 as often as theory says for the means of %i patients',
    (patients) => {
      const generator = key('level').fold(patients).generator();
      const experiments = 1500;
      const means = Array.from({ length: experiments }, (): PatientMetric => {
        const values = Array.from({ length: patients }, () => generator.normal());
        return (draws) => ({ value: values.reduce((sum, value, at) => sum + value * draws[at]!, 0) / patients });
      });
      const drawn = atOnce(bootstrapValues(means, patients, { resamples, key: key(4) }));
      const rejected = drawn.filter((values) => bootstrapPValue(values)! < 0.1).length / experiments;
      // The deviation of resampled means has n for n - 1, and their ends are the normal distribution's, not Student's.
      const level = 1 - studentWithin(1.6449 * Math.sqrt((patients - 1) / patients), patients - 1);
      expect(level).toBeCloseTo({ 20: 0.125, 50: 0.11 }[patients]!, 3);
      expect(Math.abs(rejected - level)).toBeLessThan(3 * Math.sqrt((level * (1 - level)) / experiments));
    },
  );

  it('has p-values that agree with the interval', () => {
    const [one, other] = simulatedCases(key('agree').generator(), { patients: 30, each: 10, effects: [1.6, 1.3] }).map(
      (cases) => classificationMetrics.accuracy.of(cases),
    );
    const values = atOnce(bootstrapValues([one!, other!], 30, { resamples, key: key(1) }));
    const differences = values[0]!.map((value, draw) => value - values[1]![draw]!);
    const p = bootstrapPValue(differences)!;
    expect(Math.abs(p - 0.5)).toBeLessThan(0.48);
    const holds0 = ({ low, high }: { low: number; high: number }) => low <= 0 && high >= 0;
    expect(holds0(percentileEnds(differences, 1 - p - 0.01)!)).toBe(false);
    expect(holds0(percentileEnds(differences, 1 - p + 0.01)!)).toBe(true);
    expect(bootstrapPValue(new Float64Array(100))).toBe(1);
    expect(bootstrapPValue(new Float64Array(1999).fill(1))).toBe(0.001);
  });

  it('does not depend on the order of the cases', () => {
    const [cases] = simulatedCases(key('order').generator(), { patients: 8, each: 5, effects: [1] });
    const shuffled = pickCases(
      cases!,
      key('order')
        .generator()
        .shuffle([...cases!.labels.keys()]),
    );
    const [one, other] = [cases!, shuffled].map(
      (of) => atOnce(bootstrapValues([classificationMetrics.auprc.of(of)], 8, { resamples, key: key(2) }))[0],
    );
    expect(one).toEqual(other);
  });

  it('has the standard error of a mean', () => {
    const values = Array.from({ length: 40 }, (_, patient) => Math.sin(patient));
    const mean: PatientMetric = (draws) => ({
      value: values.reduce((sum, value, at) => sum + value * draws[at]!, 0) / 40,
    });
    const squares = values.reduce(
      (sum, value) => sum + (value - mean(Float64Array.from(values, () => 1)).value!) ** 2,
      0,
    );
    const [drawn] = atOnce(bootstrapValues([mean], 40, { key: key(3) }));
    expect(standardError(drawn!)! / Math.sqrt(squares / 40 / 40)).toBeCloseTo(1, 1);
  });

  it('passes over the draws on which a metric does not exist, up to 5 %', () => {
    const sometimes = (missing: number) =>
      Float64Array.from({ length: 1000 }, (_, at) => (at < missing ? Number.NaN : at));
    expect(percentileEnds(sometimes(50), 0.9)!.low).toBeGreaterThan(50);
    expect([percentileEnds(sometimes(51), 0.9), bootstrapPValue(sometimes(51)), standardError(sometimes(51))]).toEqual([
      null,
      null,
      null,
    ]);
  });

  it('refuses too few resamples', () => {
    const few = bootstrapValues([], 9, { resamples: 1999, key: key(1) });
    expect(() => atOnce(few)).toThrow(/at least 2000 resamples; got 1999/);
  });
});
