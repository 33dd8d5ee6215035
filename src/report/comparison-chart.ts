import type { FeatureAccuracy } from '../evaluate/index.js';
import type { VegaLiteSpec } from './chart.js';
import { percent } from './charts.js';
import { faintInk, palette } from './style.js';

/**
 * One row a kind of features, in it a line for each classifier: a mark for the accuracy, a bar for its interval.
 *
 * @param judged accuracies by classifier, each of the same kinds of features in the same order
 */
export function comparisonChart(
  judged: Readonly<Record<string, readonly FeatureAccuracy[]>>,
  options: { title: string; subtitle: string; chance: number },
): { spec: VegaLiteSpec; alt: string } {
  const { title, subtitle, chance } = options;
  const classifiers = Object.keys(judged);
  const rows = classifiers.flatMap((by) =>
    judged[by]!.map(({ name, value, interval }) => ({
      ...{ by, name, value, low: interval?.low, high: interval?.high, label: percent(value) },
    })),
  );
  const quantitative = { type: 'quantitative' as const };
  const x = { ...quantitative, title: 'accuracy', scale: { domain: [0, 1] }, axis: { format: '.0%' } };
  const domain = { domain: classifiers };
  const encoding = {
    y: {
      field: 'name',
      type: 'nominal' as const,
      title: null,
      sort: null,
      axis: { labelFontSize: 13, labelLimit: 260 },
    },
    yOffset: { field: 'by', type: 'nominal' as const, scale: domain },
    color: {
      ...{ field: 'by', type: 'nominal' as const, title: null },
      scale: { ...domain, range: palette.slice(0, classifiers.length) },
      legend: { orient: 'top' as const, symbolSize: 110, offset: 22 },
    },
  };
  const spec: VegaLiteSpec = {
    title: { text: title, subtitle },
    width: 520,
    height: { step: 34, for: 'offset' },
    data: { values: rows },
    layer: [
      {
        data: { values: [{ chance }] },
        mark: { type: 'rule', strokeDash: [5, 4], color: faintInk },
        encoding: { x: { ...x, field: 'chance' } },
      },
      {
        data: { values: [{ chance }] },
        // Above the panel, where no number can be.
        mark: { type: 'text', text: 'chance', baseline: 'bottom', y: -3, color: faintInk },
        encoding: { x: { ...x, field: 'chance' } },
      },
      {
        transform: [{ filter: 'isValid(datum.low)' }],
        mark: { type: 'rule', strokeWidth: 3 },
        encoding: { ...encoding, x: { ...x, field: 'low' }, x2: { field: 'high' } },
      },
      {
        mark: { type: 'point', size: 110, opacity: 1 },
        encoding: {
          ...encoding,
          x: { ...x, field: 'value' },
          shape: { field: 'by', type: 'nominal', title: null, scale: { ...domain, range: ['circle', 'diamond'] } },
        },
      },
      {
        mark: { type: 'text', dy: -12, fontSize: 12, fontWeight: 600 },
        encoding: { ...encoding, x: { ...x, field: 'value' }, text: { field: 'label' } },
      },
    ],
  };
  const range = (low: number | undefined, high: number | undefined) =>
    low === undefined || high === undefined ? 'no interval' : `${percent(low)} to ${percent(high)}`;
  const words = classifiers.map(
    (by) =>
      `${by}: ${rows
        .filter((row) => row.by === by)
        .map(({ name, label, low, high }) => `${name} ${label} (${range(low, high)})`)
        .join(', ')}`,
  );
  return { spec, alt: `${title}; ${[...words, `chance ${percent(chance)}`].join('; ')}` };
}
