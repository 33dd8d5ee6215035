import { fromCSV } from 'arquero';
import { describe, expect, it } from 'vitest';
import { atOnce, InterruptedError, key } from '../../../src/base/index.js';
import {
  type ArmComparison,
  type ClassifiedCases,
  classificationMetrics,
  classifiedCases,
  compareArms,
  comparisonCsv,
  comparisonLatex,
  comparisonRows,
  measure,
  SegmentationCounts,
  segmentationMetrics,
} from '../../../src/evaluate/index.js';
import { bootstrapValues, percentileEnds } from '../../../src/evaluate/statistics/bootstrap.js';
import { escapeLatex } from '../../../src/evaluate/statistics/comparison-text.js';
import { holm } from '../../../src/evaluate/statistics/holm.js';
import { pickCases, simulatedCases } from '../metrics/hashed.js';

const { balancedAccuracy, auroc } = classificationMetrics;
const metrics = { balancedAccuracy, auroc };
const resamples = 2000;

/** Arms of two runs each: `good` and `better` rank by the class more than `random`. */
function armsOf(patients: number, each = 6) {
  const effects = [0.8, 0.8, 2, 2.1, 2.5, 2.6];
  const runs = simulatedCases(key('arms').generator(), { patients, each, effects }).map((results, place) => ({
    results,
    pretrainingSeed: 1,
    fineTuningSeed: place % 2,
  }));
  return { random: runs.slice(0, 2), good: runs.slice(2, 4), better: runs.slice(4) };
}

const family = {
  name: 'pretrained against random',
  comparisons: [
    { arm: 'good', against: 'random', metric: 'auroc' },
    { arm: 'better', against: 'random', metric: 'auroc' },
    { arm: 'better', against: 'good', metric: 'balancedAccuracy' },
  ],
};

const cellOf = ({ values }: ArmComparison, arm: string, metric: string) =>
  values.find((value) => value.arm === arm && value.metric === metric)!;

describe('comparison of arms on many patients', async () => {
  const arms = armsOf(30);
  const comparison = await compareArms({ arms, metrics, family, key: key(1), resamples });

  it('has the mean over runs of each metric, with an interval and deviations by source', () => {
    expect(comparison.values.map(({ arm, metric }) => `${arm} ${metric}`)).toEqual(
      ['random', 'good', 'better'].flatMap((arm) => [`${arm} balancedAccuracy`, `${arm} auroc`]),
    );
    const { value, interval, runs, spread } = cellOf(comparison, 'good', 'auroc');
    const each = arms.good.map(({ results }) => measure({ auroc }, results).auroc.value!);
    expect(value.value).toBeCloseTo((each[0]! + each[1]!) / 2, 12);
    expect(interval!.low).toBeLessThan(value.value!);
    expect(interval!.high).toBeGreaterThan(value.value!);
    expect(interval!.method).toBe('percentile bootstrap over 30 patients (180 patches), 2000 resamples');
    expect(runs).toBe(2);
    expect(spread.fineTuning.value).toBeCloseTo(Math.abs(each[0]! - each[1]!) / Math.SQRT2, 12);
    expect(spread.pretraining.reason).toBe('there is one pretraining seed');
    expect(spread.patients! * 4).toBeGreaterThan(0.8 * (interval!.high - interval!.low));
    expect(spread.patients! * 4).toBeLessThan(1.3 * (interval!.high - interval!.low));
  });

  it('has differences on the same draws, narrower than those of other patients would be', () => {
    const [first] = comparison.differences;
    const values = [arms.good, arms.random].map((runs) => {
      const metrics = runs.map(({ results }) => auroc.of(results));
      const drawn = atOnce(bootstrapValues(metrics, 30, { resamples, key: key(1) }));
      return drawn[0]!.map((value, draw) => (value + drawn[1]![draw]!) / 2);
    });
    const differences = values[0]!.map((value, draw) => value - values[1]![draw]!);
    expect(first!.interval).toMatchObject(percentileEnds(differences, 0.95)!);
    // Of 2,000 ways to swap drawn at random and the one seen.
    expect(first!.p.value! * 2001).toBeCloseTo(Math.round(first!.p.value! * 2001), 9);
    expect(first!.p.value).toBeLessThan(0.05);
    const [good, random] = ['good', 'random'].map((arm) => cellOf(comparison, arm, 'auroc').interval!);
    const width = ({ low, high }: { low: number; high: number }) => high - low;
    expect(width(first!.interval!)).toBeLessThan(Math.hypot(width(good!), width(random!)));
    expect(first!.value.value).toBeCloseTo(
      cellOf(comparison, 'good', 'auroc').value.value! - cellOf(comparison, 'random', 'auroc').value.value!,
      12,
    );
  });

  it('adjusts the p-values of the family', () => {
    const { differences } = comparison;
    expect(differences.map(({ adjustedP }) => adjustedP)).toEqual(holm(differences.map(({ p }) => p.value)));
    expect(comparison.notes).toEqual([
      'Intervals (95 %): percentile bootstrap over 30 patients (180 patches), 2000 resamples; seeds are held fixed.',
      'P-values: sign-flip test over 30 patients, of 2000 ways to swap drawn at random (at least 0.0005), two-sided;' +
        ' adjusted by Holm over "pretrained against random" (3 comparisons, named before the results were seen).',
    ]);
  });

  it('is the same for the same key, whatever the order of the cases', async () => {
    const shuffled = Object.fromEntries(
      Object.entries(arms).map(([arm, runs]) => [
        arm,
        runs.map((run) => ({
          ...run,
          results: pickCases(
            run.results,
            key(arm)
              .generator()
              .shuffle([...run.results.labels.keys()]),
          ),
        })),
      ]),
    );
    const [one, other] = [shuffled, arms].map((arms) =>
      compareArms({ arms, metrics: { auroc }, key: key(1), resamples }),
    );
    expect((await one!).values).toEqual((await other!).values);
  });

  it('finds no difference between an arm and itself', async () => {
    const { differences } = await compareArms({
      arms: { one: arms.good, other: arms.good },
      metrics,
      family: { name: 'same', comparisons: [{ arm: 'one', against: 'other', metric: 'auroc' }] },
      key: key(1),
      resamples,
    });
    const [same] = differences;
    expect([same!.value.value, same!.interval!.low, same!.interval!.high, same!.p.value]).toEqual([0, 0, 0, 1]);
  });
});

describe('comparison of arms on few patients', () => {
  const arms = armsOf(6);

  it('has p-values of all ways to swap patients between the arms', async () => {
    const comparison = await compareArms({ arms, metrics, family, key: key(1), resamples });
    for (const { arm, against, metric, p } of comparison.differences) {
      const [runs, others] = [arm, against].map((name) =>
        arms[name as keyof typeof arms].map(({ results }) => results),
      );
      const swap = (one: ClassifiedCases, other: ClassifiedCases, way: number) =>
        classifiedCases({
          ...one,
          probabilities: one.probabilities.map((value, at) =>
            (way >> one.patientOf[Math.floor(at / 2)]!) & 1 ? other.probabilities[at]! : value,
          ),
          patients: Array.from(one.patientOf, (patient) => one.patients[patient]!),
        });
      const mean = (of: ClassifiedCases[]) =>
        of.reduce((sum, cases) => sum + measure(metrics, cases)[metric as keyof typeof metrics].value!, 0) / of.length;
      const sizes = Array.from({ length: 2 ** 6 }, (_, way) =>
        Math.abs(
          mean(runs!.map((run, at) => swap(run, others![at]!, way))) -
            mean(others!.map((run, at) => swap(run, runs![at]!, way))),
        ),
      );
      expect(p.value).toBe(sizes.filter((size) => size >= sizes[0]! - 1e-9).length / 64);
    }
    expect(comparison.notes[0]).toMatch(/Over fewer than 20 patients they are too narrow\.$/);
    expect(comparison.notes[1]).toContain('exact sign-flip test over 6 patients (at least 0.03125)');
  });

  it('has differences of the fine-tuning seeds that both have, and says which are left out', async () => {
    const options = { metrics, family, key: key(1), resamples };
    const part = await compareArms({ ...options, arms: { ...arms, random: arms.random.slice(1) } });
    const same = await compareArms({
      ...options,
      arms: { random: arms.random.slice(1), good: arms.good.slice(1), better: arms.better.slice(1) },
    });
    for (const place of [0, 1]) {
      const { value, p, interval, runs } = part.differences[place]!;
      const expected = same.differences[place]!;
      expect([value, p, interval, runs]).toEqual([expected.value, expected.p, expected.interval, [1, 1]]);
    }
    expect(cellOf(part, 'good', 'auroc').runs).toBe(2);
    expect(part.notes).toContain(
      'good minus random, AUROC: of the fine-tuning seeds that both have, 1 of 2 and 1 of 1 runs.',
    );
    const others = arms.random.map((run) => ({ ...run, fineTuningSeed: run.fineTuningSeed + 7 }));
    const none = await compareArms({ ...options, arms: { ...arms, random: others } });
    expect(none.differences.map(({ value, p }) => [value.value, p.value]).slice(0, 2)).toEqual([
      [null, null],
      [null, null],
    ]);
    // The only one left is the family.
    expect(none.differences[2]!.adjustedP).toBe(none.differences[2]!.p.value);
    expect(none.notes).toContain(
      'good minus random, AUROC: no difference, since the arms have no fine-tuning seed in common.',
    );
    expect(none.notes.find((note) => note.startsWith('P-values'))).toContain('(1 comparison, named');
  });

  it('pairs a run with those of its fine-tuning seed from every pretraining seed', async () => {
    const again = arms.better.map((run) => ({ ...run, pretrainingSeed: 2 }));
    const repeated = arms.random.map((run) => ({ ...run, pretrainingSeed: 2 }));
    const pOf = async (random: typeof arms.random) => {
      const { differences } = await compareArms({
        arms: { random, good: [...arms.good, ...again] },
        metrics,
        family: { name: 'f', comparisons: [family.comparisons[0]!] },
        key: key(1),
        resamples,
      });
      return differences[0]!.p.value;
    };
    const value = await pOf(arms.random);
    expect(value).toBeGreaterThan(0);
    expect(await pOf([...arms.random].reverse())).toBe(value);
    expect(await pOf([...arms.random, ...repeated])).toBe(value);
    // Three pretraining seeds against two.
    const third = arms.random.map((run) => ({ ...run, pretrainingSeed: 3 }));
    expect(await pOf([...arms.random, ...repeated, ...third])).toBe(value);
  });

  it('takes so many random ways where a ranking by precision has more than can be gone through, and says so', async () => {
    const { random, good } = armsOf(13);
    const { auprc } = classificationMetrics;
    const compared = await compareArms({
      ...{ arms: { random, good }, metrics: { auroc, auprc }, key: key(1), resamples },
      family: {
        name: 'ranking',
        comparisons: ['auroc', 'auprc'].map((metric) => ({ arm: 'good', against: 'random', metric })),
      },
    });
    const [exact, drawn] = compared.differences;
    expect(exact!.test).toBe('exact sign-flip test over 13 patients (at least 0.000244140625)');
    expect(exact!.p.value! * 2 ** 12).toBe(Math.round(exact!.p.value! * 2 ** 12));
    expect(drawn!.test).toBe('sign-flip test over 13 patients, of 2000 ways to swap drawn at random (at least 0.0005)');
    expect(drawn!.p.value! * 2001).toBeCloseTo(Math.round(drawn!.p.value! * 2001), 9);
    expect(compared.notes[1]).toContain(`P-values: AUROC, ${exact!.test}; AUPRC, ${drawn!.test}, two-sided`);
    expect(comparisonCsv(compared)).toContain(exact!.test!);
  });

  it('lets the event loop run, and ends where it is interrupted', async () => {
    const many = armsOf(19);
    const stop = new AbortController();
    const comparing = compareArms({ arms: many, metrics, family, key: key(1), resamples, signal: stop.signal });
    setTimeout(() => stop.abort());
    await expect(comparing).rejects.toThrow(InterruptedError);
  });

  it('calls the unit what the results call it', async () => {
    const ofPatches = Object.fromEntries(
      Object.entries(arms).map(([arm, runs]) => [
        arm,
        runs.map((run) => ({ ...run, results: { ...run.results, unit: 'patches' as const } })),
      ]),
    );
    const comparison = await compareArms({ arms: ofPatches, metrics, family, key: key(1), resamples });
    expect(comparison.groups).toEqual({ of: 'patches', count: 6 });
    expect(comparison.notes).toContain('Neither patients nor slides are known: cases are treated as independent.');
    expect(comparison.notes[0]).toMatch(/over 6 patches .* Over fewer than 20 patches they are too narrow\.$/);
    expect(comparison.notes.join()).toContain('exact sign-flip test over 6 patches');
    expect(Object.keys(comparisonRows(comparison).spread[0]!)).toContain('Patches');
    expect(comparisonCsv(comparison)).toContain('patchesDeviation');
  });

  it('has no interval over fewer than five patients', async () => {
    const { values, differences, notes } = await compareArms({ arms: armsOf(4), metrics, family, key: key(1) });
    expect(values.every(({ interval, spread }) => interval === null && spread.patients === null)).toBe(true);
    expect(differences[0]!.interval).toBeNull();
    expect(differences[0]!.p.value! * 8).toBe(Math.round(differences[0]!.p.value! * 8));
    expect(notes[0]).toBe('4 patients are too few for an interval.');
  });

  it('says that one patient tells nothing', async () => {
    const { values, differences, notes } = await compareArms({ arms: armsOf(1, 12), metrics, family, key: key(1) });
    for (const { value, interval } of values) expect([Number.isFinite(value.value), interval]).toEqual([true, null]);
    for (const { p } of differences) expect(p.value).toBe(1);
    expect(notes[0]).toBe('1 patients are too few for an interval.');
  });

  it('says which values do not exist, and why', async () => {
    const normal = Object.fromEntries(
      Object.entries(arms).map(([arm, runs]) => [
        arm,
        runs.map((run) => ({ ...run, results: { ...run.results, labels: run.results.labels.map(() => 0) } })),
      ]),
    );
    const comparison = await compareArms({ arms: normal, metrics, family, key: key(1), resamples });
    expect(comparison.notes).toContain('good, AUROC: no value, since all cases are of one class.');
    expect(comparison.notes).toContain('good minus random, AUROC: no p-value, since all cases are of one class.');
    expect(comparisonRows(comparison).arms[1]).toMatchObject({ AUROC: '–' });
    expect(comparisonRows(comparison).differences[0]).toMatchObject({ Difference: '–', p: '–', 'Adjusted p': '–' });
    const rare = Object.fromEntries(
      Object.entries(arms).map(([arm, runs]) => [
        arm,
        runs.map((run) => ({
          ...run,
          results: { ...run.results, labels: run.results.labels.map((_, row) => Number(row < 3)) },
        })),
      ]),
    );
    expect((await compareArms({ arms: rare, metrics, family, key: key(1), resamples })).notes).toContain(
      'good, AUROC: no interval, since the metric does not exist on more than 5 % of the draws of patients.',
    );
  });
});

describe('comparison of segmentation arms', () => {
  it('takes counts of patients', async () => {
    const generator = key('segmentation').generator();
    const results = [0.3, 0.1].map((errors) => {
      const counts = new SegmentationCounts({ classNames: ['stroma', 'gland'] });
      for (let patient = 0; patient < 8; patient++) {
        const mask = Uint8Array.from({ length: 1024 }, (_, pixel) => Number(pixel % 32 > 13));
        const predicted = mask.map((label) => (generator.uniform() < errors ? 1 - label : label));
        counts.add({ name: 'patch', patient: `patient ${patient}`, width: 32, height: 32, mask, predicted });
      }
      return [{ results: counts.results() }];
    });
    const { macroDice, boundaryF1 } = segmentationMetrics(['gland']);
    const { differences } = await compareArms({
      arms: { coarse: results[0]!, fine: results[1]! },
      metrics: { macroDice, boundaryF1 },
      family: { name: 'Dice', comparisons: [{ arm: 'fine', against: 'coarse', metric: 'macroDice' }] },
      key: key(1),
      resamples,
    });
    expect(differences[0]!.value.value).toBeGreaterThan(0.1);
    expect(differences[0]!.p.value).toBe(2 / 2 ** 8);
  });
});

describe('compareArms refuses', () => {
  const arms = armsOf(5);
  const compare = (change: object) => compareArms({ arms, metrics, key: key(1), resamples, ...change });
  const of = (comparison: object) => ({
    family: { name: 'f', comparisons: [{ ...family.comparisons[0]!, ...comparison }] },
  });
  const without = pickCases(
    arms.good[0]!.results,
    [...arms.good[0]!.results.labels.keys()].filter((row) => row !== 7),
  );

  it.each([
    ['no arms', { arms: {} }, /no arms to compare/],
    ['an arm without runs', { arms: { ...arms, none: [] } }, /arm "none" has no runs/],
    [
      'other cases',
      { arms: { ...arms, good: [{ results: without }] } },
      /patient "patient 1" has 6 in run 1 of "random", 5 in run 1 of "good"/,
    ],
    [
      'repeated seeds',
      { arms: { good: arms.good.map(({ results }) => ({ results })) } },
      /run 1 of "good" and run 2 of "good" have the same seeds/,
    ],
    [
      'other classes',
      { arms: { ...arms, good: [{ results: { ...without, classNames: ['a', 'b'] } }] } },
      /run 1 of "random" and run 1 of "good" have different classes/,
    ],
    ['an unknown arm', of({ against: 'best' }), /"best" is not one of the arms random, good, better/],
    ['an unknown metric', of({ metric: 'f1' }), /"f1" is not one of the metrics balancedAccuracy, auroc/],
    ['an arm against itself', of({ against: 'good' }), /"good" cannot be compared with itself/],
    [
      'a comparison that stands twice',
      {
        family: {
          name: 'f',
          comparisons: [family.comparisons[0]!, { arm: 'random', against: 'good', metric: 'auroc' }],
        },
      },
      /"random" and "good" are compared twice in auroc/,
    ],
    ['metrics of one heading', { metrics: { auroc, again: auroc } }, /two metrics have the heading "AUROC"/],
    ['a level in percent', { level: 95 }, /as \.95; got 95/],
  ])('%s', async (_, change, message) => {
    await expect(compare(change)).rejects.toThrow(message);
  });
});

describe('text of a comparison', async () => {
  const names = { random: 'from_scratch', good: 'SimCLR & 50 % of "PTCGA200"' };
  const { random, good } = armsOf(24);
  const comparison = await compareArms({
    arms: { [names.random]: random, [names.good]: good },
    metrics,
    family: { name: '#1', comparisons: [{ arm: names.good, against: names.random, metric: 'auroc' }] },
    key: key(1),
    resamples,
  });

  it('has rows for a page', () => {
    const { arms, differences, spread } = comparisonRows(comparison);
    expect(arms).toHaveLength(2);
    expect(arms[0]).toEqual({
      Arm: 'from_scratch',
      Runs: '2',
      'Balanced accuracy': expect.stringMatching(/^0\.\d{3} \(0\.\d{3} to 0\.\d{3}\)$/),
      AUROC: expect.stringMatching(/^0\.\d{3} \(0\.\d{3} to 0\.\d{3}\)$/),
    });
    expect(differences).toEqual([
      {
        Comparison: `${names.good} minus from_scratch`,
        Metric: 'AUROC',
        Difference: expect.stringMatching(/^\+0\.\d{3} \(\+0\.\d{3} to \+0\.\d{3}\)$/),
        p: expect.stringMatching(/^(<0\.001|0\.\d{3})$/),
        'Adjusted p': expect.stringMatching(/^(<0\.001|0\.\d{3})$/),
      },
    ]);
    expect(spread[0]).toEqual({
      Arm: 'from_scratch',
      Metric: 'Balanced accuracy',
      Patients: expect.stringMatching(/^0\.\d{3}$/),
      'Pretraining seeds': '–',
      'Fine-tuning seeds': expect.stringMatching(/^0\.\d{3}$/),
      'All runs': expect.stringMatching(/^0\.\d{3}$/),
    });
  });

  it('has every number in its CSV', () => {
    const rows = fromCSV(comparisonCsv(comparison)).objects() as Record<string, unknown>[];
    expect(rows).toHaveLength(5);
    expect(rows.map(({ arm, metric, value }) => ({ arm, metric, value }))).toEqual(
      [...comparison.values, ...comparison.differences].map(({ arm, metric, value }) => ({
        arm,
        metric,
        value: value.value,
      })),
    );
    expect(rows[4]).toMatchObject({ against: 'from_scratch', p: comparison.differences[0]!.p.value });
  });

  it('has LaTeX with special characters escaped', () => {
    const text = comparisonLatex(comparison);
    const cells = comparisonRows(comparison);
    const lines = text.split('\n');
    expect(
      lines.filter((line) => line === '\\begin{tabular}{llll}' || line === '\\begin{tabular}{lllll}'),
    ).toHaveLength(2);
    expect(lines).toContain('Arm & Runs & Balanced accuracy & AUROC \\\\');
    expect(text).toContain(`SimCLR \\& 50 \\% of ''PTCGA200'' & 2 & ${cells.arms[1]!['Balanced accuracy']} & `);
    expect(text).toContain("adjusted by Holm over ''\\#1'' (1 comparison,");
    for (const line of lines.filter((row) => row.endsWith('\\\\'))) {
      expect([4, 5]).toContain(line.split(/(?<!\\)&/).length);
    }
    expect(escapeLatex('\\ {a_b} ~ ^ < > | − – $ 5')).toBe(
      '\\textbackslash{} \\{a\\_b\\} \\textasciitilde{} \\textasciicircum{} \\textless{} \\textgreater{} \\textbar{} $-$ -- \\$ 5',
    );
  });
});
