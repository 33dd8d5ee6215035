import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { key } from '../../../src/base/index.js';
import {
  classificationReport,
  precisionRecallBand,
  precisionRecallCurve,
  rocBand,
  rocCurve,
} from '../../../src/evaluate/index.js';
import { type HashedCases, hashedCases, pickCases, simulatedCases } from './hashed.js';

const { curves } = JSON.parse(
  readFileSync(new URL('../../fixtures/sklearn-metrics/classification.json', import.meta.url), 'utf8'),
) as {
  curves: (HashedCases & {
    label: number;
    roc: [number[], number[]];
    precisionRecall: [number[], number[], number[]];
  })[];
};

describe.each(curves)(
  'curves against scikit-learn: $classes classes, $levels levels',
  ({ label, roc, precisionRecall, ...of }) => {
    const cases = hashedCases(of);

    it('ROC: a line through all its points', () => {
      const points = rocCurve(cases, label);
      expect(points.length).toBeLessThan(roc[0].length + 1);
      roc[0].forEach((rate, place) => {
        const onLine = points.some(({ falsePositiveRate: x, truePositiveRate: y }, at) => {
          const next = points[at + 1] ?? { falsePositiveRate: x, truePositiveRate: y };
          const [run, rise] = [next.falsePositiveRate - x, next.truePositiveRate - y];
          const inside = rate >= x - 1e-9 && rate <= next.falsePositiveRate + 1e-9;
          return inside && Math.abs(run * (roc[1][place]! - y) - rise * (rate - x)) < 1e-9;
        });
        expect(onLine, `(${rate}, ${roc[1][place]})`).toBe(true);
      });
      const area = points.slice(1).reduce((sum, { falsePositiveRate, truePositiveRate }, at) => {
        const before = points[at]!;
        return (
          sum + ((falsePositiveRate - before.falsePositiveRate) * (truePositiveRate + before.truePositiveRate)) / 2
        );
      }, 0);
      expect(area).toBeCloseTo(classificationReport(cases).classes[label]!.auroc!, 12);
      expect(points[0]).toEqual({ threshold: null, falsePositiveRate: 0, truePositiveRate: 0 });
      expect(points.at(-1)).toMatchObject({ falsePositiveRate: 1, truePositiveRate: 1 });
    });

    it('precision and recall: the same points, at the same thresholds', () => {
      const points = precisionRecallCurve(cases, label);
      const [recalls, precisions, thresholds] = precisionRecall;
      for (const { threshold, recall, precision } of points) {
        const place = thresholds.findIndex((other) => Math.abs(other - threshold) < 1e-9);
        expect(recall).toBeCloseTo(recalls[place]!, 9);
        expect(precision).toBeCloseTo(precisions[place]!, 9);
      }
      const rounded = (values: number[]) => [...new Set(values.map((value) => value.toFixed(9)))].sort();
      expect(rounded(points.map(({ recall }) => recall))).toEqual(rounded(recalls));
      const area = points.reduce(
        (sum, { recall, precision }, at) => sum + (recall - (points[at - 1]?.recall ?? 0)) * precision,
        0,
      );
      expect(area).toBeCloseTo(classificationReport(cases).classes[label]!.auprc!, 12);
    });
  },
);

describe('bands', () => {
  const [cases] = simulatedCases(key('bands').generator(), { patients: 20, each: 20, effects: [2] });

  it('lie around the curve and are ordered', () => {
    const band = rocBand(cases!, 1, { key: key(1), resamples: 2000 })!;
    expect(band.map(({ falsePositiveRate }) => falsePositiveRate)).toEqual(
      Array.from({ length: 101 }, (_, step) => step / 100),
    );
    const points = rocCurve(cases!, 1);
    const inside = band.filter(({ falsePositiveRate: x, low, high }) => {
      const at = points.findLastIndex(({ falsePositiveRate }) => falsePositiveRate <= x);
      return low <= points[at]!.truePositiveRate && points[at]!.truePositiveRate <= high;
    });
    expect(inside.length).toBe(101);
    expect(band.at(-1)).toEqual({ falsePositiveRate: 1, low: 1, high: 1 });
    expect(band.every(({ low }, at) => at === 0 || low >= band[at - 1]!.low)).toBe(true);
    expect(band[50]!.high - band[50]!.low).toBeGreaterThan(0.02);

    const precisions = precisionRecallBand(cases!, 1, { key: key(1), resamples: 2000 })!;
    const curve = precisionRecallCurve(cases!, 1);
    for (const { recall: wanted, low, high } of precisions.slice(20)) {
      const { precision } = curve.find(({ recall }) => recall >= wanted)!;
      expect(low).toBeLessThanOrEqual(precision);
      expect(high).toBeGreaterThanOrEqual(precision);
    }
  });

  it('have no width where all patients are alike', () => {
    const one = hashedCases({ stream: 3, count: 30, classes: 2, levels: 9, present: 2 });
    const rows = Array.from({ length: 5 * 30 }, (_, row) => row % 30);
    const alike = pickCases(
      one,
      rows,
      rows.map((_, place) => `patient ${Math.floor(place / 30)}`),
    );
    const points = rocCurve(alike, 1);
    for (const { falsePositiveRate: x, low, high } of rocBand(alike, 1, { key: key(1), resamples: 2000 })!) {
      expect(low).toBe(high);
      const at = points.findLastIndex(({ falsePositiveRate }) => falsePositiveRate <= x + 1e-12);
      const [one, next] = [points[at]!, points[at + 1] ?? points[at]!];
      const part = next === one ? 0 : (x - one.falsePositiveRate) / (next.falsePositiveRate - one.falsePositiveRate);
      expect(low).toBeCloseTo(one.truePositiveRate + part * (next.truePositiveRate - one.truePositiveRate), 9);
    }
  });

  it('are null where patients are few, or many draws lack the class', () => {
    const few = hashedCases({ stream: 3, count: 30, classes: 2, levels: 9, present: 2 }, (row) => row % 4);
    expect(rocBand(few, 1, { key: key(1), resamples: 2000 })).toBeNull();
    const one = hashedCases({ stream: 3, count: 30, classes: 2, levels: 9, present: 2 }, (row) => row);
    const rare = { ...one, labels: one.labels.map((_, row) => Number(row === 4)) };
    expect(rocBand(rare, 1, { key: key(1), resamples: 2000 })).toBeNull();
    expect(() => rocCurve({ ...one, labels: one.labels.map(() => 0) }, 1)).toThrow(
      /ROC curve needs cases of "class 1" and of other classes; 0 of 30 are/,
    );
    expect(() => precisionRecallCurve(one, 2)).toThrow(/no class 2 of 2/);
  });
});
