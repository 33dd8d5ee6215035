import { describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { type ClassifiedCases, classificationReport, classifiedCases } from '../../src/evaluate/index.js';
import { drawChart } from '../../src/report/index.js';
import { confusionChart } from '../../src/report/show-confusion.js';
import { curvesChart } from '../../src/report/show-curves.js';
import { learningCurvesChart } from '../../src/report/show-learning-curves.js';
import { reliabilityChart } from '../../src/report/show-reliability.js';
import { simulatedCases } from '../evaluate/metrics/hashed.js';
import { expectFigure } from './figures.js';
import { openKernel, saidBy } from './kernel.js';

const [weak, strong] = simulatedCases(key(4).generator(), { patients: 40, each: 8, effects: [0.8, 3] });
const arms = { random: weak!, 'SimCLR, 200 epochs': strong! };

/** Cases of several classes; the higher the effect, the surer and the righter. */
function severalClasses(classNames: readonly string[], effect: number): ClassifiedCases {
  const [count, classes, noise] = [400, classNames.length, key(5).generator()];
  const labels = Int32Array.from({ length: count }, () => Math.floor(classes * noise.uniform() ** 1.5));
  const rows = Array.from(labels, (label) => {
    const scores = classNames.map((_, other) => Math.exp(effect * Number(other === label) + noise.normal()));
    const sum = scores.reduce((total, score) => total + score, 0);
    return scores.map((score) => score / sum);
  });
  const patients = Array.from(labels, (_, row) => `patient ${row % 25}`);
  return classifiedCases({ probabilities: Float32Array.from(rows.flat()), labels, patients, classNames });
}
const organs = ['breast', 'colon', 'kidney', 'liver', 'lung'];
const sites = Array.from({ length: 20 }, (_, place) => `primary site ${place + 1}`);

describe('figures of a classification look as they did when they were last looked at', () => {
  it('confusion matrix', async () => {
    const { confusion } = classificationReport(severalClasses(organs, 2));
    const { spec, alt } = confusionChart(confusion, { classNames: organs });
    const [row] = confusion;
    expect(alt).toContain(`breast ${row![0]} of ${row!.reduce((sum, count) => sum + count)} (`);
    await expectFigure(await drawChart(spec), 'confusion');
  });

  it('confusion matrix of many classes, one of them without patches', async () => {
    const many = severalClasses([...sites.slice(0, 19), 'a site without patches'], 3);
    const labels = many.labels.map((label) => Math.min(label, 18));
    const report = classificationReport({ ...many, labels });
    const large = confusionChart(report.confusion, { classNames: many.classNames });
    expect(large.alt).toContain('a site without patches without patches');
    await expectFigure(await drawChart(large.spec), 'confusion-20');
  });

  it('reliability of two arms', async () => {
    const { spec, alt } = reliabilityChart(arms);
    const { calibrationError } = classificationReport(strong!).metrics;
    expect(alt).toContain(`SimCLR, 200 epochs ${calibrationError.value!.toFixed(3)}, 320 cases in `);
    await expectFigure(await drawChart(spec), 'reliability');
  });

  it('ROC and precision-recall of two classes, with bands', async () => {
    const { chart, absent } = curvesChart(arms, { key: key(1), resamples: 2000 });
    const [, tumor] = classificationReport(strong!).classes;
    expect(chart!.alt).toContain('95 % bands over 40 patients: AUROC of tumor: random 0.');
    expect(chart!.alt).toContain(`AUPRC of tumor: random `);
    expect(chart!.alt).toContain(`SimCLR, 200 epochs ${tumor!.auprc!.toFixed(3)}`);
    expect(absent).toEqual([]);
    await expectFigure(await drawChart(chart!.spec), 'curves');
  });

  it('ROC and precision-recall of the most frequent of more classes', async () => {
    const of = { random: severalClasses(organs, 1), SimCLR: severalClasses(organs, 2.5) };
    const { chart } = curvesChart(of, { key: key(1), resamples: 2000 });
    expect(chart!.alt.match(/AUROC of \w+/g)).toEqual(
      ['breast', 'colon', 'kidney', 'liver'].map((name) => `AUROC of ${name}`),
    );
    await expectFigure(await drawChart(chart!.spec), 'curves-of-classes');
  });

  it('learning curves', async () => {
    const noise = key(6).generator();
    const curve = (level: number) =>
      [1, 2, 5, 10, 50].map((shots) => ({
        shots,
        values: Array.from(
          { length: 10 },
          () => level + 0.08 * Math.log(shots) + (0.1 * noise.uniform()) / Math.sqrt(shots),
        ),
      }));
    const options = { metric: 'balanced accuracy', chance: 0.2 };
    const { spec, alt } = learningCurvesChart(
      { random: curve(0.25), ImageNet: curve(0.4), SimCLR: curve(0.5) },
      options,
    );
    expect(alt).toMatch(
      /^Learning curves, balanced accuracy by labels a class, 10 draws: random 1: 0\.\d{3} \(0\.2\d\d to /,
    );
    expect(alt).toMatch(/; guessing 0\.200$/);
    await expectFigure(await drawChart(spec), 'learning-curves');
    expect(() => learningCurvesChart({ random: [{ shots: 1, values: [] }] }, options)).toThrow(
      'random with 1 labels a class: the values are numbers, one of each draw; got []',
    );
  });
});

describe('a sentence stands for what cannot be drawn', () => {
  it('a class that has no cases, or all, has no curves', () => {
    const some = severalClasses(organs, 2);
    const { chart, absent } = curvesChart(
      { SimCLR: { ...some, labels: some.labels.map((label) => label % 2) } },
      { key: key(1), resamples: 2000, classes: ['breast', 'lung'] },
    );
    expect(chart!.alt).toContain('AUROC of breast');
    expect(absent).toEqual(['"lung" has no curves: 0 of 400 cases are of that class.']);
    const one = curvesChart({ SimCLR: { ...strong!, labels: strong!.labels.map(() => 1) } }, { key: key(1) });
    expect(one).toEqual({ absent: ['"tumor" has no curves: 320 of 320 cases are of that class.'] });
    expect(() => curvesChart(arms, { key: key(1), classes: ['fat'] })).toThrow(
      '"fat" is not one of the classes normal, tumor',
    );
  });

  it('of few patients there are curves without bands', () => {
    const [few] = simulatedCases(key(4).generator(), { patients: 4, each: 20, effects: [2] });
    const { chart } = curvesChart({ few: few! }, { key: key(1), resamples: 2000 });
    expect(chart!.alt).toContain('ROC and precision-recall, 4 patients, too few for bands: AUROC of tumor: few ');
  });

  it('no counts, no points', async () => {
    const said = openKernel();
    const { showConfusion, showLearningCurves } = await import('../../src/report/index.js');
    await showConfusion(
      [
        [0, 0],
        [0, 0],
      ],
      { classNames: ['a', 'b'], of: 'pixels' },
    );
    await showLearningCurves({}, { metric: 'accuracy' });
    expect(saidBy(said)).toEqual(['There are no pixels for a confusion matrix.', 'There are no learning curves.']);
    await expect(showConfusion([[1, 2]], { classNames: ['a', 'b'] })).rejects.toThrow('of 2 classes is 2 x 2');
  });

  it('more arms than there are colors are refused', () => {
    const many = Object.fromEntries(Array.from({ length: 9 }, (_, arm) => [`arm ${arm}`, weak!]));
    expect(() => reliabilityChart(many)).toThrow('a chart can show 8 arms; got 9');
  });
});
