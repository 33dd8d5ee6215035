import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { tf } from '../../src/engine/index.js';
import { fitLogisticRegression, predictProbabilities } from '../../src/evaluate/index.js';

interface Case {
  features: number[];
  count: number;
  width: number;
  classes: number;
  cost: number;
  labels: number[];
  weights: number[] | null;
  probabilities: number[];
}
const { cases } = JSON.parse(
  readFileSync(new URL('../fixtures/sklearn-logistic/logistic.json', import.meta.url), 'utf8'),
) as { cases: Case[] };
const featuresOf = ({ features, count, width }: Case) => ({ values: Float32Array.from(features), count, width });

describe('logistic regression', () => {
  it.each(cases.map((one, number) => ({ ...one, number })))(
    "finds scikit-learn's probabilities (case $number: $classes classes, cost $cost)",
    async (one) => {
      const features = featuresOf(one);
      const before = tf.memory().numTensors;
      const model = await fitLogisticRegression(features, Int32Array.from(one.labels), {
        ...{ classes: one.classes, cost: one.cost, tolerance: 1e-6, classWeights: one.weights ?? undefined },
      });
      const probabilities = await predictProbabilities(model, features);
      expect(tf.memory().numTensors).toBe(before);
      const worst = Math.max(...probabilities.map((value, place) => Math.abs(value - one.probabilities[place]!)));
      expect(worst).toBeLessThan(2e-4);
    },
  );

  it('converges with its default cost, which it states, and ignores a feature that is constant', async () => {
    const one = cases[0]!;
    const { values, count, width } = featuresOf(one);
    const wider = Float32Array.from({ length: count * (width + 1) }, (_, place) => {
      const [row, column] = [Math.floor(place / (width + 1)), place % (width + 1)];
      return column === width ? 42 : values[row * width + column]!;
    });
    const labels = Int32Array.from(one.labels);
    const plain = await fitLogisticRegression({ values, count, width }, labels, { classes: 3, cost: 1 });
    const more = await fitLogisticRegression({ values: wider, count, width: width + 1 }, labels, {
      classes: 3,
      cost: 1,
    });
    expect(plain.converged && more.converged).toBe(true);
    for (let label = 0; label < 3; label++) expect(more.weights[label * (width + 1) + width]).toBe(0);
    const byDefault = await fitLogisticRegression({ values, count, width }, labels, { classes: 3 });
    expect(byDefault).toMatchObject({ cost: (5 * 3) / 100, converged: true });
  });

  it('refuses what it cannot learn from', async () => {
    const features = featuresOf(cases[0]!);
    const labels = Int32Array.from(cases[0]!.labels);
    await expect(fitLogisticRegression(features, labels, { classes: 3, cost: 0 })).rejects.toThrow(
      /cost must be .* got 0/,
    );
    await expect(fitLogisticRegression(features, labels.fill(-1, 2, 3), { classes: 3 })).rejects.toThrow(/row 2 .* -1/);
    const model = await fitLogisticRegression(features, labels.fill(0, 2, 3), { classes: 3 });
    await expect(predictProbabilities(model, { values: new Float32Array(4), count: 1, width: 4 })).rejects.toThrow(
      /width 4, the classifier 5/,
    );
  });
});
