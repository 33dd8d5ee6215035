import { describe, expect, test } from 'vitest';
import { key } from '../../src/base/index.js';
import { comparisonChart } from '../../src/report/comparison-chart.js';
import { countsChart } from '../../src/report/counts-chart.js';
import { drawSvg } from '../../src/report/figure.js';
import { drawChart, embeddingChart, intervalChart, TrainingHistory } from '../../src/report/index.js';
import { siteLeakageChart } from '../../src/report/site-leakage-chart.js';
import { trainingChart } from '../../src/report/training-chart.js';
import { expectFigure, figureDifference, tolerance } from './figures.js';

/** Half a second a step, an evaluation after every twentieth; the loss ends where all views look alike. */
function trained(steps: number): TrainingHistory {
  const history = new TrainingHistory();
  const noise = key(1).generator();
  for (let step = 1; step <= steps; step++) {
    const loss = Math.log(127) * (1 - 0.5 * Math.sin((Math.PI * step) / 120)) + 0.3 * (noise.uniform() - 0.5);
    const learningRate = 0.05 * (1 + Math.cos((Math.PI * step) / 120));
    const entry = { step, steps: 120, loss, learningRate, imagesPerSecond: 32 };
    history.add({ kind: 'step', ...entry }, 500 * step);
    if (step % 20) continue;
    const share = step / 120;
    const metrics = { knnAccuracy: 0.17 + 0.6 * share, embeddingStd: 0.9 - 0.3 * share, viewStd: 0.2 + 0.1 * share };
    history.add({ kind: 'evaluation', step, ...metrics }, 500 * step);
  }
  return history;
}
const training = {
  title: 'SimCLR',
  totalSteps: 120,
  panels: [
    { title: 'NT-Xent loss', metrics: ['loss'], reference: { value: Math.log(127), label: 'all views alike' } },
    {
      title: 'kNN accuracy',
      metrics: ['knnAccuracy'],
      domain: [0, 1] as const,
      format: '.0%',
      reference: { value: 1 / 6, label: 'guessing' },
    },
    { title: 'standard deviation', metrics: ['embeddingStd', 'viewStd'] },
  ],
};
const intervals = [
  { name: 'random initialization', value: 0.41, low: 0.38, high: 0.45 },
  { name: 'SimCLR pretrained', value: 0.83, low: 0.8, high: 0.86 },
];

describe('charts look as they did when they were last looked at', () => {
  test('training', async () => {
    await expectFigure(await drawChart(trainingChart(trained(120), training).spec), 'training');
  });

  test('a training with small panels', async () => {
    const small = [
      { title: 'embedding deviation', metrics: ['embeddingStd'], domain: [0, 1] as const, small: true },
      { title: 'learning rate', metrics: ['learningRate'], small: true },
      { title: 'images a second', metrics: ['imagesPerSecond'], small: true },
    ];
    const panels = [...training.panels.slice(0, 2), ...small];
    const { spec, alt } = trainingChart(trained(120), { ...training, panels });
    expect(alt).toMatch(
      /; embedding deviation 0\.850 → 0\.600; learning rate 0\.100 → 0\.00; images a second 32\.0 → 32\.0$/,
    );
    await expectFigure(await drawChart(spec), 'training-small');
  });

  test('kinds of features by two classifiers', async () => {
    const of = (name: string, value: number, half: number | null) => {
      const ends = half === null ? null : { low: value - half, high: value + half, level: 0.95, method: 'bootstrap' };
      return { name, value, correct: [], interval: ends };
    };
    const kNN = [
      of('SimCLR pretrained', 0.76, 0.08),
      of('random initialization', 0.22, 0.05),
      of('color histogram', 0.41, null),
    ];
    const probe = [
      of('SimCLR pretrained', 0.81, 0.07),
      of('random initialization', 0.31, 0.06),
      of('color histogram', 0.44, null),
    ];
    const options = {
      title: 'Accuracy on 192 held-out patches',
      subtitle: '95 % intervals over 16 patients',
      chance: 1 / 8,
    };
    const { spec, alt } = comparisonChart({ kNN, 'linear probe': probe }, options);
    expect(alt).toMatch(
      /kNN: SimCLR pretrained 76\.0 % \(68\.0 % to 84\.0 %\), .*; linear probe: .* color histogram 44\.0 % \(no interval\); chance 12\.5 %$/,
    );
    await expectFigure(await drawChart(spec), 'comparison');
  });

  test('a training that is running', async () => {
    await expectFigure(await drawChart(trainingChart(trained(41), training, true).spec), 'training-running');
  });

  test('intervals', async () => {
    const chart = intervalChart(intervals, {
      title: 'kNN accuracy on held-out slides',
      subtitle: '20 neighbors, 95 % bootstrap interval over slides',
      valueTitle: 'accuracy',
      chance: 1 / 6,
    });
    await expectFigure(await drawChart(chart.spec), 'intervals');
  });

  test('site leakage', async () => {
    const method = 'percentile bootstrap over 40 patients (200 patches), 10000 resamples';
    const question = (name: string, value: number, chance: number) => ({
      ...{ name, value, chance, low: value - 0.06, high: value + 0.07, level: 0.95, method },
      ...{ what: 'class' as const, answersFrom: 'other sites' as const, images: 200 },
    });
    const questions = [
      question('site, from other patients', 0.88, 0.2),
      question('class, from other patients', 0.21, 0.1),
      question('class, from other sites', 0.12, 0.1),
    ];
    const gap = { value: 0.09, low: -0.02, high: 0.19, level: 0.95, method };
    const leakage = { questions, gap: { ...gap, fromOtherPatients: 0.21, fromOtherSites: 0.12, images: 200 } };
    const { spec, alt } = siteLeakageChart(leakage, { subtitle: 'SYNTHETIC slides' });
    expect(alt).toContain('what the site adds for the class +9.0 (95 % interval -2.0 to +19.0; percentile');
    await expectFigure(await drawChart(spec), 'site-leakage');
  });

  test('embedding', async () => {
    const place = key(2).generator();
    const kinds = [
      'acinar',
      'cribriform',
      'nested',
      'rosette',
      'trabecular',
      'papillary',
      'diffuse',
      'fascicular',
      'real',
    ];
    const rows = Array.from({ length: 360 }, (_, index) => ({
      x: place.normal() + 4 * (index % 3),
      y: place.normal() + 4 * Math.floor((index % 9) / 3),
      kind: kinds[index % 9]!,
      slide: `slide ${index % 5}`,
    }));
    const chart = embeddingChart(rows, { title: 'Held-out patches', subtitle: 'UMAP', emphasis: 'real' });
    await expectFigure(await drawChart(chart.spec), 'embedding');
  });
});

test('a chart of other numbers is another image', async () => {
  const [one, other] = await Promise.all(
    [120, 100].map((steps) => drawChart(trainingChart(trained(steps), training).spec)),
  );
  expect(await figureDifference(one!.png, other!.png)).toBeGreaterThan(tolerance);
});

test('the words beside a chart give its numbers', () => {
  expect(trainingChart(trained(120), training).alt).toMatch(
    /^SimCLR: 120 steps, 1 min 0 s; NT-Xent loss 4\.\d\d → 4\.\d\d; kNN accuracy 27\.0 % → 77\.0 %; embeddingStd 0\.850 → 0\.600; viewStd /,
  );
  expect(trainingChart(trained(60), training).alt).toMatch(/^SimCLR: 60 of 120 steps, 30 s; /);
  expect(trainingChart(trained(60), training, true).alt).toMatch(
    /^SimCLR: step 60 of 120, 2\.00 steps a second, 30 s left; /,
  );
  expect(intervalChart(intervals, { title: 'kNN', valueTitle: 'accuracy', chance: 0.1 }).alt).toBe(
    'kNN: random initialization 41.0 % (38.0 % to 45.0 %); SimCLR pretrained 83.0 % (80.0 % to 86.0 %); chance 10.0 %',
  );
});

test('more kinds than the palette has colors are refused', () => {
  const rows = Array.from({ length: 9 }, (_, index) => ({ x: 0, y: 0, kind: `kind ${index}`, slide: '' }));
  expect(() => embeddingChart(rows, { title: '' })).toThrow('8 kinds; got 9');
});

test('letters are drawn as letters: without a font all would be the same empty box', async () => {
  const drawn = ['H', 'O', 'µ'].map((letter) =>
    drawSvg(
      `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><text x="5" y="30" font-size="30">${letter}</text></svg>`,
    ),
  );
  const [h, o, mu] = await Promise.all(drawn);
  expect(await figureDifference(h!.png, o!.png)).toBeGreaterThan(0.02);
  expect(await figureDifference(o!.png, mu!.png)).toBeGreaterThan(0.02);
});

test('counts keep the order that they are given in, also of names that are numbers', () => {
  const counts = [['01', 3] as const, ['02', 2] as const, ['10', 1] as const];
  const { alt } = countsChart(counts, { title: 'Patches of each site', of: 'patches' });
  expect(alt).toBe('Patches of each site, patches: 01 3, 02 2, 10 1');
});
