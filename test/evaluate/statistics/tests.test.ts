import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { atOnce, key } from '../../../src/base/index.js';
import { classificationMetrics, correctedT, delongTest, mcnemarTest } from '../../../src/evaluate/index.js';
import { metricOfSums, type PatientMetric } from '../../../src/evaluate/metrics/metric.js';
import { normalCdf, studentQuantile, studentWithin } from '../../../src/evaluate/statistics/distributions.js';
import { holm } from '../../../src/evaluate/statistics/holm.js';
import { signFlipTest } from '../../../src/evaluate/statistics/sign-flip.js';
import { hashedCases, pickCases, simulatedCases } from '../metrics/hashed.js';

const reference = JSON.parse(
  readFileSync(new URL('../../fixtures/sklearn-metrics/statistics.json', import.meta.url), 'utf8'),
) as {
  normal: [z: number, probability: number][];
  student: [t: number, degrees: number, within: number][];
  studentQuantiles: [level: number, degrees: number, t: number][];
  mcnemar: [onlyFirst: number, onlySecond: number, p: number][];
  signFlip: [differences: number[], p: number][];
  corrected: [number[], train: number, test: number, value: number, low: number, high: number, p: number][];
  delong: { stream: number; count: number; levels: number; result: [value: number, error: number, p: number] }[];
};

/** Sign-flip p-value of the mean of plain differences. */
const flipped = (differences: readonly number[]) => {
  const sums = [...differences, ...differences.map(() => 0)].map((value) => Float64Array.of(value));
  return test([metricOfSums(sums, ([sum]) => ({ value: sum! }))], differences.length).p.value;
};
const test = (pairs: PatientMetric[], patients: number, resamples = 2000) =>
  atOnce(signFlipTest(pairs, patients, { resamples, key: key(1) }));
/** Without what a metric builds up from. */
const plain =
  (metric: PatientMetric): PatientMetric =>
  (draws) =>
    metric(draws);

describe('distributions against SciPy', () => {
  it('normal', () => {
    for (const [z, probability] of reference.normal) expect(normalCdf(z)).toBeCloseTo(probability, 12);
  });

  it("Student's t, and its quantiles", () => {
    for (const [t, degrees, within] of reference.student) {
      expect(studentWithin(t, degrees), `t ${t}, ${degrees}`).toBeCloseTo(within, 11);
    }
    for (const [level, degrees, t] of reference.studentQuantiles) {
      expect(studentQuantile(level, degrees) / t).toBeCloseTo(1, 9);
    }
  });
});

describe('sign-flip test', () => {
  it("agrees with SciPy's permutation test", () => {
    for (const [differences, p] of reference.signFlip) expect(flipped(differences)).toBeCloseTo(p, 9);
  });

  it('agrees with counting all signs, with ties that differ by rounding', () => {
    const differences = [0.1, 0.2, -0.3, 0.6, -0.1, 0.1];
    const sums = differences.reduce((held, value) => held.flatMap((sum) => [sum + value, sum - value]), [0]);
    const seen = Math.abs(sums[0]!) - 1e-9;
    expect(flipped(differences)).toBe(sums.filter((sum) => Math.abs(sum) >= seen).length / 64);
  });

  it('rejects no more often than it says where the arms do not differ', () => {
    const generator = key('null').generator();
    let rejected = 0;
    for (let experiment = 0; experiment < 1000; experiment++) {
      if (flipped(Array.from({ length: 7 }, () => generator.normal()))! <= 0.05) rejected++;
    }
    // 1/32 is the largest multiple of 2^-6 below .05: 3 of 64.
    expect(Math.abs(rejected / 1000 - 3 / 64)).toBeLessThan(0.02);
  });

  it('has the smallest value 2 / 2^n, and 1 for no difference', () => {
    expect(flipped([1, 2, 3, 4])).toBe(2 / 16);
    expect(flipped([0, 0, 0])).toBe(1);
    expect(flipped([5])).toBe(1);
    const sometimes: PatientMetric = (draws) => (draws[2] ? { value: null, reason: 'none' } : { value: 1 });
    expect(test([sometimes], 3).p).toEqual({ value: null, reason: 'none' });
  });

  it('gives a metric that builds up patient by patient the p-value that going through the cases gives', () => {
    const { auroc, accuracy, quadraticKappa, brierScore } = classificationMetrics;
    const many = { count: 90, levels: 5, present: 3 };
    for (const classes of [2, 3]) {
      const runs = [11, 12, 13, 14].map((stream) =>
        hashedCases({ ...many, stream, classes, present: classes }, (row) => row % 9),
      );
      // The patients' labels are the same in all.
      const cases = runs.map((run) => ({ ...run, labels: runs[0]!.labels }));
      for (const { of, label } of [auroc, accuracy, quadraticKappa, brierScore]) {
        const pairs = [of(cases[0]!, cases[1]!), of(cases[2]!, cases[3]!)];
        const found = test(pairs, 9);
        expect(found, `${label}, ${classes} classes`).toEqual(test(pairs.map(plain), 9));
        expect(found.exact).toBe(true);
      }
    }
  });

  it('takes no more than so many random ways where a metric needs all cases at once, and keeps its level', () => {
    const generator = key('few ways').generator();
    let rejected = 0;
    for (let experiment = 0; experiment < 400; experiment++) {
      const [one, other] = simulatedCases(generator, { patients: 8, each: 4, effects: [1, 1] });
      const drawn = test([classificationMetrics.auprc.of(one!, other!)], 8, 99);
      expect(drawn.exact).toBe(false);
      // Of the 99 ways and the one seen.
      expect(100 * drawn.p.value!).toBeCloseTo(Math.round(100 * drawn.p.value!), 9);
      if (drawn.p.value! <= 0.1) rejected++;
    }
    expect(Math.abs(rejected / 400 - 0.1)).toBeLessThan(0.04);
    const [one, other] = simulatedCases(generator, { patients: 8, each: 4, effects: [1, 2] });
    const pair = classificationMetrics.auroc.of(one!, other!);
    const exact = test([pair], 8);
    expect(Math.abs(test([plain(pair)], 8, 127).p.value! - exact.p.value!)).toBeLessThan(0.15);
    expect(test([plain(pair)], 8, 128)).toEqual(exact);
  });

  it('goes through all ways to swap 19 patients of many cases within a second or two', () => {
    const [one, other] = simulatedCases(key('many').generator(), { patients: 19, each: 100, effects: [1, 1.2] });
    const { p, exact } = test([classificationMetrics.auroc.of(one!, other!)], 19);
    expect(exact).toBe(true);
    expect(p.value! * 2 ** 18).toBe(Math.round(p.value! * 2 ** 18));
  });
});

describe('corrected t', () => {
  it('agrees with SciPy', () => {
    for (const [differences, train, test, value, low, high, p] of reference.corrected) {
      const found = correctedT(differences, { train, test, level: 0.9 });
      for (const [got, wanted] of [
        [found.value, value],
        [found.low, low],
        [found.high, high],
        [found.p, p],
      ] as const) {
        expect(got).toBeCloseTo(wanted, 9);
      }
    }
  });

  it('is more cautious than a t test that takes folds for independent', () => {
    const differences = [0.02, 0.03, 0.01, 0.04, 0.02];
    const few = correctedT(differences, { train: 1e9, test: 1 });
    expect(correctedT(differences, { train: 80, test: 20 }).p).toBeGreaterThan(2 * few.p);
  });

  it('has p 1 for no difference at all, and refuses what has no variance', () => {
    expect(correctedT([0, 0, 0], { train: 80, test: 20 })).toMatchObject({ value: 0, low: 0, high: 0, p: 1 });
    expect(() => correctedT([0.1, 0.1, 0.1], { train: 80, test: 20 })).toThrow(/all 3 folds have the difference 0\.1/);
    expect(() => correctedT([0.1], { train: 80, test: 20 })).toThrow(/at least two folds; got 1/);
    expect(() => correctedT([0.1, Number.NaN], { train: 80, test: 20 })).toThrow(/0\.1, NaN/);
    expect(() => correctedT([0.1, 0.2], { train: 0, test: 20 })).toThrow(/got 0 and 20/);
    expect(() => correctedT([0.1, 0.2], { train: 80, test: 20, level: 95 })).toThrow(/as \.95; got 95/);
  });
});

describe('Holm', () => {
  const generator = key('holm').generator();
  const families = Array.from({ length: 200 }, () =>
    Array.from({ length: 1 + generator.integer(7) }, () => generator.integer(20) / 100),
  );

  it('is the closed test: the largest Bonferroni p-value of the subsets that hold a comparison', () => {
    for (const family of families) {
      const adjusted = holm(family);
      for (const [place, value] of adjusted.entries()) {
        let largest = 0;
        for (let subset = 1; subset < 2 ** family.length; subset++) {
          const members = family.filter((_, member) => (subset >> member) & 1);
          if ((subset >> place) & 1) largest = Math.max(largest, Math.min(1, members.length * Math.min(...members)));
        }
        expect(value).toBeCloseTo(largest, 12);
      }
    }
  });

  it('keeps the order of the p-values, and never lowers one', () => {
    for (const family of families) {
      const adjusted = holm(family);
      for (const [one, p] of family.entries()) {
        expect(adjusted[one]).toBeGreaterThanOrEqual(p);
        for (const [other, q] of family.entries())
          if (p <= q) expect(adjusted[one]).toBeLessThanOrEqual(adjusted[other]!);
      }
    }
  });

  it('does not count a missing p-value, and refuses what is none', () => {
    expect(holm([0.01, null, 0.04])).toEqual([0.02, 1, 0.04]);
    expect(() => holm([0.1, 1.5])).toThrow(/0 to 1; got 1\.5/);
    expect(() => holm([Number.NaN])).toThrow(/got NaN/);
  });
});

describe('tests of independent cases', () => {
  it('McNemar agrees with the binomial test of SciPy', () => {
    for (const [one, other, p] of reference.mcnemar) {
      const first = Array.from({ length: one + other + 3 }, (_, row) => row < one || row >= one + other);
      const second = first.map((_, row) => row >= one);
      const patients = first.map((_, row) => `patient ${row}`);
      const found = mcnemarTest(first, second, patients);
      expect(found).toEqual({ onlyFirst: one, onlySecond: other, p: expect.closeTo(p, 9) });
    }
  });

  const classes = { classes: 2, present: 2 };

  it('DeLong agrees with its definition over all pairs', () => {
    for (const { stream, count, levels, result } of reference.delong) {
      const first = hashedCases({ stream, count, levels, ...classes });
      const second = {
        ...first,
        probabilities: hashedCases({ stream: stream + 2, count, levels, ...classes }).probabilities,
      };
      const { value, standardError, p } = delongTest(first, second, 1);
      for (const [place, found] of [value, standardError, p].entries()) expect(found).toBeCloseTo(result[place]!, 9);
    }
  });

  it('refuse several cases of a patient', () => {
    expect(() => mcnemarTest([true, false, true], [true, true, true], ['a', 'b', 'a'])).toThrow(
      /McNemar's test assumes independent cases, but patient "a" has 2 of 3: .* by bootstrap over patients/,
    );
    const cases = hashedCases({ stream: 5, count: 20, levels: 9, ...classes }, (row) => Math.floor(row / 2));
    expect(() => delongTest(cases, cases, 1)).toThrow(
      /DeLong's test assumes independent cases, but patient "patient 0"/,
    );
  });

  it('DeLong refuses other cases, few cases, and a difference without variance', () => {
    const cases = hashedCases({ stream: 5, count: 20, levels: 9, ...classes });
    const reversed = pickCases(cases, [...cases.labels.keys()].reverse());
    expect(() => delongTest(cases, reversed, 1)).toThrow(/the same order; they differ at case 0/);
    expect(() => delongTest(cases, pickCases(cases, [...cases.labels.keys(), 0].slice(0, 19)), 1)).toThrow(
      /differ at case 19/,
    );
    expect(() => delongTest(cases, cases, 2)).toThrow(/two cases of .* got 0 and 20/);
    expect(delongTest(cases, cases, 1)).toEqual({ value: 0, standardError: 0, p: 1 });
    const perfect = {
      ...cases,
      probabilities: Float32Array.from([...cases.labels].flatMap((label) => [1 - label, label])),
    };
    const opposite = { ...cases, probabilities: perfect.probabilities.map((value) => 1 - value) };
    expect(() => delongTest(perfect, opposite, 1)).toThrow(/areas differ by 1, but equally in all cases/);
  });

  it('McNemar refuses lists that do not fit', () => {
    expect(() => mcnemarTest([true], [true, false], ['a'])).toThrow(/1 and 2 results for 1 patients/);
  });
});
