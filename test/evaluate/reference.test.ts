import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import {
  clusterBootstrapInterval,
  type Features,
  featureStd,
  type Interval,
  knnClassify,
  pairedDifferenceInterval,
  rankMe,
  wilsonInterval,
} from '../../src/evaluate/index.js';
import { accuracy, balancedAccuracy, confusionMatrix } from '../../src/evaluate/metrics/confusion.js';

const reference = JSON.parse(
  readFileSync(new URL('../fixtures/sklearn-evaluate/reference.json', import.meta.url), 'utf8'),
) as {
  classes: number;
  width: number;
  train: number[];
  trainLabels: number[];
  test: number[];
  testLabels: number[];
  knn: Record<string, number[]>;
  accuracy: number;
  balancedAccuracy: number;
  confusion: number[][];
  wilson: [number, number, number, number][];
  slides: string[];
  first: boolean[];
  second: boolean[];
  clusterInterval95: [number, number];
  clusterInterval80: [number, number];
  pairedInterval95: [number, number];
  collapse: { features: number[]; count: number; width: number; rankMe: number; deviation: number };
};

const { classes, width } = reference;
const trainLabels = Int32Array.from(reference.trainLabels);
const testLabels = Int32Array.from(reference.testLabels);
const features = (values: number[], columns = width): Features => ({
  values: Float32Array.from(values),
  count: values.length / columns,
  width: columns,
});

describe('kNN against scikit-learn', () => {
  for (const [settings, predictions] of Object.entries(reference.knn)) {
    const [neighbors, temperature] = settings.split(',').map(Number) as [number, number];
    it(`votes as weighted cosine neighbors do: ${neighbors} neighbors, temperature ${temperature}`, async () => {
      const result = await knnClassify(features(reference.train), trainLabels, features(reference.test), testLabels, {
        neighbors,
        temperature,
        classes,
      });
      expect([...result.predictions]).toEqual(predictions);
      const right = predictions.map((prediction, row) => prediction === testLabels[row]);
      expect(result.correct).toEqual(right);
      expect(result.accuracy).toBeCloseTo(right.filter(Boolean).length / right.length, 12);
    });
  }
});

describe('metrics against scikit-learn', () => {
  const predictions = Int32Array.from(reference.knn['20,0.07']!);

  it('accuracy, balanced accuracy with an absent class, confusion matrix', () => {
    const matrix = confusionMatrix(predictions, testLabels, classes);
    expect(accuracy(matrix).value).toBeCloseTo(reference.accuracy, 12);
    expect(balancedAccuracy(matrix).value).toBeCloseTo(reference.balancedAccuracy, 12);
    expect(reference.balancedAccuracy).not.toBeCloseTo(reference.accuracy, 3);
    expect([...matrix]).toEqual(reference.confusion.flat());
  });
});

describe('intervals against SciPy', () => {
  it('Wilson', () => {
    for (const [successes, total, low, high] of reference.wilson) {
      const interval = wilsonInterval(successes, total);
      expect(interval.low).toBeCloseTo(low, 12);
      expect(interval.high).toBeCloseTo(high, 12);
    }
  });

  // Both sides draw slides at random: with these counts an end's standard error is under .002.
  const close = (interval: Interval, [low, high]: [number, number]) => {
    expect(Math.abs(interval.low - low)).toBeLessThan(0.008);
    expect(Math.abs(interval.high - high)).toBeLessThan(0.008);
  };

  it('cluster bootstrap of an accuracy', () => {
    const options = { resamples: 20_000, key: key('slides') };
    const { second, slides } = reference;
    close(clusterBootstrapInterval(second, slides, options), reference.clusterInterval95);
    close(clusterBootstrapInterval(second, slides, { ...options, level: 0.8 }), reference.clusterInterval80);
  });

  it('paired cluster bootstrap of a difference', () => {
    const { first, second, slides } = reference;
    const interval = pairedDifferenceInterval(first, second, slides, { resamples: 20_000, key: key('slides') });
    close(interval, reference.pairedInterval95);
  });
});

describe('collapse monitors against NumPy', () => {
  const { count, width: columns, features: values, ...expected } = reference.collapse;

  it('RankMe and embedding deviation', () => {
    expect(features(values, columns).count).toBe(count);
    expect(rankMe(features(values, columns))).toBeCloseTo(expected.rankMe, 4);
    expect(featureStd(features(values, columns))).toBeCloseTo(expected.deviation, 5);
  });
});
