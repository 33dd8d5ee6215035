import type { FeatureAccuracy, FeatureComparison, FeatureGain } from '../evaluate/index.js';
import type { Metric } from '../runs/index.js';
import { showChart } from './chart.js';
import { percent } from './charts.js';
import { comparisonChart } from './comparison-chart.js';
import { escapeMarkup } from './html.js';
import { resultsFrame } from './results-table.js';
import { display, html } from './show.js';
import { showTable } from './table.js';

/**
 * Compares kinds of features by kNN and by a linear probe: accuracies with intervals as a chart and as a table, and differences
 * in words.
 *
 * @param options.save also writes the chart to this PNG file
 * @param options.table also writes the table to this CSV file
 */
export async function showComparison(
  comparison: FeatureComparison | null,
  options: { save?: string; table?: string } = {},
): Promise<void> {
  if (!comparison) {
    await display(html('<p>No patch has a class, so features cannot be evaluated by kNN or a linear probe.</p>'));
    return;
  }
  const { accuracies, gains, linear, chance, neighbors, groups } = comparison;
  const enough = accuracies.every(({ interval }) => interval);
  const intervals = enough
    ? `95 % intervals over ${groups.count} ${groups.of}`
    : `${groups.count} ${groups.of}, too few for an interval`;
  const chart = comparisonChart(
    { kNN: accuracies, 'linear probe': linear.accuracies },
    {
      title: `Accuracy on ${comparison.patches} held-out patches`,
      subtitle: `kNN of ${neighbors} neighbors and a linear probe; ${intervals}`,
      chance,
    },
  );
  await showChart(chart.spec, { alt: chart.alt, save: options.save });
  const none = { low: null, high: null, level: null, method: intervals };
  const frame = await resultsFrame(
    accuracies.map(({ name, value, interval }, place) => {
      const { value: linearValue, interval: ofLinear } = linear.accuracies[place]!;
      const { low: linearLow, high: linearHigh } = ofLinear ?? none;
      return { name, value, ...(interval ?? none), linearValue, linearLow, linearHigh };
    }),
  );
  const range = (low: number | null, high: number | null) =>
    low === null || high === null ? '–' : `${percent(low)} to ${percent(high)}`;
  await showTable(frame, {
    caption: `Intervals: ${accuracies[0]!.interval?.method ?? intervals}`,
    columns: {
      ...{ name: 'Features', value: 'kNN accuracy', low: '95 % interval' },
      ...{ linearValue: 'linear probe', linearLow: '95 % interval' },
    },
    format: {
      value: percent,
      linearValue: percent,
      low: (low: number | null, { high }: { high: number | null }) => range(low, high),
      linearLow: (low: number | null, { linearHigh }: { linearHigh: number | null }) => range(low, linearHigh),
    },
    save: options.table,
  });
  const sentences = [
    ...gainSentences('By kNN', accuracies[0]!, gains, intervals),
    ...gainSentences('By a linear probe', linear.accuracies[0]!, linear.gains, intervals),
  ];
  await display(html(`<p>${sentences.map(escapeMarkup).join('<br>')}</p>`));
}

function gainSentences(by: string, first: FeatureAccuracy, gains: readonly FeatureGain[], intervals: string): string[] {
  return gains.map(({ name, value, interval }) => {
    const points = `${(100 * value).toFixed(1)} points`;
    if (!interval) return `${by}, ${first.name} minus ${name}: ${points}; ${intervals}.`;
    const [low, high] = [interval.low, interval.high].map((share) => (100 * share).toFixed(1));
    const verdict = interval.low > 0 ? 'better than' : interval.high < 0 ? 'worse than' : 'not clearly different from';
    return `${by}, ${first.name} is ${verdict} ${name}: ${points}, 95 % interval ${low} to ${high}.`;
  });
}

/** The accuracies of a comparison as a run's metrics. */
export function comparisonMetrics({ accuracies, linear, patches, groups }: FeatureComparison, of: string): Metric[] {
  const metricsOf = (what: string, all: readonly FeatureAccuracy[]): Metric[] =>
    all.map(({ name, value, interval }) => ({
      name: `${what}, ${name}`,
      value: 100 * value,
      ...(interval && { interval: [100 * interval.low, 100 * interval.high] as const }),
      unit: '%',
      about: `${patches} ${of}; ${interval?.method ?? `${groups.count} ${groups.of}, too few for an interval`}`,
    }));
  return [...metricsOf('kNN accuracy', accuracies), ...metricsOf('linear probe accuracy', linear.accuracies)];
}
