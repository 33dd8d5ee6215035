import { describe, expect, test } from 'vitest';
import { countsChart } from '../../src/report/counts-chart.js';
import { drawSvg } from '../../src/report/figure.js';
import { drawChart, embeddingChart, intervalChart, trainingChart } from '../../src/report/index.js';
import { siteLeakageChart } from '../../src/report/site-leakage-chart.js';
import { key } from '../../src/runs/index.js';
import { expectPicture, pictureDifference, tolerance } from './pictures.js';

const trainingRows = (end: number) => {
  const noise = key(1).generator();
  return Array.from({ length: end }, (_, index) => ({
    step: index + 1,
    loss: 4.2 * Math.exp(-index / 80) + 0.3 * noise.uniform(),
    ...(index % 20 === 19 ? { knnAccuracy: 0.4 + (0.4 * index) / 120 } : {}),
  }));
};
const training = {
  title: 'SimCLR',
  totalSteps: 200,
  lossTitle: 'NT-Xent loss',
  equalViewsLoss: Math.log(127),
  chanceAccuracy: 1 / 6,
};
const intervals = [
  { name: 'random initialization', value: 0.41, low: 0.38, high: 0.45 },
  { name: 'SimCLR pretrained', value: 0.83, low: 0.8, high: 0.86 },
];

describe('charts look as they did when they were last looked at', () => {
  test('training', async () => {
    await expectPicture(await drawChart(trainingChart(trainingRows(120), training).spec), 'training');
  });

  test('a training that has just begun', async () => {
    await expectPicture(await drawChart(trainingChart(trainingRows(1), training).spec), 'training-begun');
  });

  test('intervals', async () => {
    const chart = intervalChart(intervals, {
      title: 'kNN accuracy on held-out slides',
      subtitle: '20 neighbors, 95 % bootstrap interval over slides',
      valueTitle: 'accuracy',
      chance: 1 / 6,
    });
    await expectPicture(await drawChart(chart.spec), 'intervals');
  });

  test('site leakage', async () => {
    const method = 'percentile bootstrap over 40 patients (200 patches), 10000 resamples';
    const question = (name: string, value: number, chance: number) => ({
      ...{ name, value, chance, low: value - 0.06, high: value + 0.07, level: 0.95, method },
      ...{ what: 'class' as const, answersFrom: 'other sites' as const, pictures: 200 },
    });
    const questions = [
      question('site, from other patients', 0.88, 0.2),
      question('class, from other patients', 0.21, 0.1),
      question('class, from other sites', 0.12, 0.1),
    ];
    const gap = { value: 0.09, low: -0.02, high: 0.19, level: 0.95, method };
    const leakage = { questions, gap: { ...gap, fromOtherPatients: 0.21, fromOtherSites: 0.12, pictures: 200 } };
    const { spec, alt } = siteLeakageChart(leakage, { subtitle: 'SYNTHETIC slides' });
    expect(alt).toContain('what the site adds for the class +9.0 (95 % interval -2.0 to +19.0; percentile');
    await expectPicture(await drawChart(spec), 'site-leakage');
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
    await expectPicture(await drawChart(chart.spec), 'embedding');
  });
});

test('a chart of other numbers is another picture', async () => {
  const [one, other] = await Promise.all(
    [120, 100].map((end) => drawChart(trainingChart(trainingRows(end), training).spec)),
  );
  expect(await pictureDifference(one!.png, other!.png)).toBeGreaterThan(tolerance);
});

test('the words beside a chart give its numbers', () => {
  expect(trainingChart(trainingRows(120), training).alt).toMatch(
    /^SimCLR: step 120 of 200; loss 4\.\d+ → 1\.\d+; kNN accuracy 46\.3 % → 79\.7 %$/,
  );
  expect(intervalChart(intervals, { title: 'kNN', valueTitle: 'accuracy', chance: 0.1 }).alt).toBe(
    'kNN: random initialization 41.0 % (38.0 % to 45.0 %); SimCLR pretrained 83.0 % (80.0 % to 86.0 %); guessing 10.0 %',
  );
});

test('more kinds than can be told apart are refused', () => {
  const rows = Array.from({ length: 9 }, (_, index) => ({ x: 0, y: 0, kind: `kind ${index}`, slide: '' }));
  expect(() => embeddingChart(rows, { title: '' })).toThrow('8 kinds apart; got 9');
});

test('letters are drawn as letters: without a font all would be the same empty box', async () => {
  const drawn = ['H', 'O', 'µ'].map((letter) =>
    drawSvg(
      `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><text x="5" y="30" font-size="30">${letter}</text></svg>`,
    ),
  );
  const [h, o, mu] = await Promise.all(drawn);
  expect(await pictureDifference(h!.png, o!.png)).toBeGreaterThan(0.02);
  expect(await pictureDifference(o!.png, mu!.png)).toBeGreaterThan(0.02);
});

test('counts keep the order that they are given in, also of names that are numbers', () => {
  const counts = [['01', 3] as const, ['02', 2] as const, ['10', 1] as const];
  const { alt } = countsChart(counts, { title: 'Patches of each site', of: 'patches' });
  expect(alt).toBe('Patches of each site, patches: 01 3, 02 2, 10 1');
});
