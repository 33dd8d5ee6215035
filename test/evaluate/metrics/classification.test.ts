import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { key } from '../../../src/base/index.js';
import {
  type ClassifiedCases,
  classificationMetrics,
  classificationReport,
  classifiedCases,
  measure,
  reliabilityCurve,
} from '../../../src/evaluate/index.js';
import { type HashedCases, hashedCases, pickCases } from './hashed.js';

const names = Object.keys(classificationMetrics) as (keyof typeof classificationMetrics)[];

const { cases: references } = JSON.parse(
  readFileSync(new URL('../../fixtures/sklearn-metrics/classification.json', import.meta.url), 'utf8'),
) as {
  cases: (HashedCases &
    Record<keyof typeof classificationMetrics, number | null> & {
      byClass: { auroc: number | null; auprc: number | null }[];
      confusion: number[][];
      torchMacroF1: number;
      torchCalibrationError?: number;
      torchAuroc?: number;
      torchAuprc?: number;
    })[];
};

describe('classification metrics against scikit-learn and torchmetrics', () => {
  const reports = references.map((reference) => ({ reference, report: classificationReport(hashedCases(reference)) }));

  it.each(names)('%s', (name) => {
    for (const { reference, report } of reports) {
      const { value, reason } = report.metrics[name];
      const expected = reference[name];
      if (expected === null) expect([value, reason], JSON.stringify(reference)).toEqual([null, expect.any(String)]);
      else expect(value, JSON.stringify(reference)).toBeCloseTo(expected, 7);
    }
    expect(references.filter((reference) => reference[name] !== null).length).toBeGreaterThan(150);
  });

  it('AUROC and AUPRC of each class, and the confusion matrix', () => {
    for (const { reference, report } of reports) {
      expect(report.confusion).toEqual(reference.confusion);
      for (const [label, expected] of reference.byClass.entries()) {
        const { auroc, auprc } = report.classes[label]!;
        for (const [value, wanted] of [
          [auroc, expected.auroc],
          [auprc, expected.auprc],
        ] as const) {
          if (wanted === null) expect(value).toBeNull();
          else expect(value).toBeCloseTo(wanted, 9);
        }
      }
    }
  });

  it.each([
    ['torchMacroF1', 'macroF1'],
    ['torchCalibrationError', 'calibrationError'],
    ['torchAuroc', 'auroc'],
    ['torchAuprc', 'auprc'],
  ] as const)('%s', (torch, name) => {
    const compared = reports.filter(({ reference }) => reference[torch] !== undefined);
    expect(compared.length).toBeGreaterThan(40);
    for (const { reference, report } of compared) {
      expect(Math.abs(report.metrics[name].value! - reference[torch]!), JSON.stringify(reference)).toBeLessThan(1e-6);
    }
  });
});

const sixty: HashedCases = { stream: 1, count: 60, classes: 3, levels: 6, present: 3 };

describe('classification metrics', () => {
  it('do not depend on the order of the cases', () => {
    const cases = hashedCases(sixty, (row) => row % 7);
    const order = key('order')
      .generator()
      .shuffle([...cases.labels.keys()]);
    const shuffled = pickCases(cases, order);
    for (const name of names) {
      const [one, other] = [cases, shuffled].map(
        (of) => classificationMetrics[name].of(of)(Float64Array.of(1, 2, 0, 1, 3, 1, 1)).value,
      );
      expect(one).toBeCloseTo(other!, 12);
    }
  });

  it('count a patient as often as drawn, in any of several results', () => {
    const cases = hashedCases(sixty, (row) => row % 3);
    const others = hashedCases({ ...sixty, stream: 7 }, (row) => row % 3);
    const rows = (patients: number[]) =>
      patients.flatMap((patient) => [...cases.labels.keys()].filter((row) => row % 3 === patient));
    const joined = (one: ClassifiedCases, other: ClassifiedCases) =>
      classifiedCases({
        probabilities: Float32Array.of(...one.probabilities, ...other.probabilities),
        labels: Int32Array.of(...one.labels, ...other.labels),
        patients: [...one.labels, ...other.labels].map(() => 'any'),
        classNames: one.classNames,
      });
    const repeated = joined(pickCases(cases, rows([0, 0, 2])), pickCases(others, rows([1, 1, 1, 2])));
    for (const name of names) {
      const drawn = classificationMetrics[name].of(cases, others)(Float64Array.of(2, 0, 1, 0, 3, 1)).value;
      expect(drawn, name).toBeCloseTo(classificationMetrics[name].of(repeated)(Float64Array.of(1)).value!, 12);
    }
  });

  it('say why one does not exist', () => {
    const cases = classifiedCases({
      probabilities: Float32Array.of(0.25, 0.75, 0.5, 0.5),
      labels: Int32Array.of(0, 0),
      patients: ['a', 'b'],
      classNames: ['normal', 'tumor'],
    });
    const { auroc, auprc, quadraticKappa, accuracy } = measure(classificationMetrics, cases);
    expect(auroc).toEqual({ value: null, reason: 'all cases are of one class' });
    expect(auprc).toEqual({ value: null, reason: 'there are no cases of "tumor"' });
    expect(quadraticKappa.value).toBe(0);
    expect(accuracy.value).toBe(0.5);
    const certain = pickCases(cases, [1, 1]);
    expect(measure(classificationMetrics, certain).quadraticKappa).toEqual({
      value: null,
      reason: expect.stringContaining('all one class'),
    });
    expect(classificationReport(certain).classes).toEqual([
      { class: 'normal', cases: 2, recall: 1, precision: 1, f1: 1, auroc: null, auprc: 1 },
      { class: 'tumor', cases: 0, recall: null, precision: null, f1: null, auroc: null, auprc: null },
    ]);
    for (const name of names) expect(classificationMetrics[name].of(cases)(Float64Array.of(0, 0)).value).toBeNull();
  });

  it('give constant predictions an AUROC of one half', () => {
    const cases = hashedCases({ ...sixty, levels: 1 });
    const { auroc, auprc, balancedAccuracy } = measure(classificationMetrics, cases);
    expect(auroc.value).toBe(0.5);
    expect(auprc.value).toBeCloseTo(1 / 3, 12);
    expect(balancedAccuracy.value).toBeCloseTo(1 / 3, 12);
  });

  it('are perfect for perfect predictions', () => {
    const labels = Int32Array.of(0, 1, 2, 1);
    const probabilities = Float32Array.from(
      [...labels].flatMap((label) => [0, 1, 2].map((of) => Number(of === label))),
    );
    const cases = classifiedCases({
      probabilities,
      labels,
      patients: ['a', 'b', 'c', 'd'],
      classNames: ['0', '1', '2'],
    });
    for (const [name, { value }] of Object.entries(measure(classificationMetrics, cases))) {
      expect(value, name).toBe(name === 'brierScore' || name === 'calibrationError' ? 0 : 1);
    }
  });
});

describe('reliability curve', () => {
  it('puts a confidence at an edge into the lower bin, and leaves out empty bins', () => {
    const cases = classifiedCases({
      probabilities: Float32Array.of(0.5, 0.5, 0.25, 0.75, 1, 0, 0.125, 0.875),
      labels: Int32Array.of(1, 1, 0, 0),
      patients: ['a', 'b', 'c', 'd'],
      classNames: ['normal', 'tumor'],
    });
    expect(reliabilityCurve(cases, 4)).toEqual([
      { low: 0.25, high: 0.5, cases: 1, confidence: 0.5, accuracy: 0 },
      { low: 0.5, high: 0.75, cases: 1, confidence: 0.75, accuracy: 1 },
      { low: 0.75, high: 1, cases: 2, confidence: 0.9375, accuracy: 0.5 },
    ]);
  });

  it('has the calibration error between its points and the diagonal', () => {
    const cases = hashedCases({ ...sixty, levels: 1 << 20 });
    const error = reliabilityCurve(cases).reduce(
      (sum, { cases: count, confidence, accuracy }) => sum + (count * Math.abs(confidence - accuracy)) / 60,
      0,
    );
    expect(measure(classificationMetrics, cases).calibrationError.value).toBeCloseTo(error, 12);
  });
});

describe('classifiedCases refuses', () => {
  const good = {
    probabilities: Float32Array.of(0.5, 0.5, 0.25, 0.75),
    labels: Int32Array.of(0, 1),
    patients: ['a', 'b'],
    classNames: ['normal', 'tumor'],
  };
  it.each([
    [
      'logits',
      { probabilities: Float32Array.of(0.5, 0.5, -3, 4) },
      /case 1 \(patient "b"\).*"normal" is -3.*not logits/,
    ],
    ['NaN', { probabilities: Float32Array.of(0.5, 0.5, Number.NaN, 1) }, /"normal" is NaN/],
    ['sigmoids', { probabilities: Float32Array.of(0.5, 0.5, 0.5, 0.75) }, /sum to 1.25, not to 1/],
    ['an unknown label', { labels: Int32Array.of(0, 2) }, /row 1 has the label 2.*not in 0 to 1/],
    ['other shapes', { labels: Int32Array.of(0, 1, 1) }, /4 probabilities.*3 labels and 2 classes/],
    ['missing patients', { patients: ['a'] }, /1 patients' names for 2 cases/],
    ['one class', { classNames: ['normal'] }, /at least two classes are needed; got 1/],
    ['no cases', { labels: Int32Array.of(), probabilities: Float32Array.of() }, /metrics of no cases/],
  ])('%s', (_, change, message) => {
    expect(() => classifiedCases({ ...good, ...change })).toThrow(message);
  });
});
