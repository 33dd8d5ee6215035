import type { FeatureComparison } from '../evaluate/index.js';
import type { Metric } from '../runs/index.js';
import { showChart } from './chart.js';
import { intervalChart, percent } from './charts.js';
import { resultsFrame } from './results-table.js';
import { display, html } from './show.js';
import { showTable } from './table.js';

/**
 * Compares kinds of features: accuracies with intervals as a chart and as a table, and differences in words.
 *
 * @param options.save also writes the chart to this PNG file
 * @param options.table also writes the table to this CSV file
 */
export async function showComparison(
  comparison: FeatureComparison | null,
  options: { save?: string; table?: string } = {},
): Promise<void> {
  if (!comparison) {
    await display(html('<p>No patch has a class, so features cannot be evaluated by kNN.</p>'));
    return;
  }
  const { accuracies, gains, chance, neighbors, groups } = comparison;
  const enough = accuracies.every(({ interval }) => interval);
  const intervals = enough
    ? `95 % intervals over ${groups.count} ${groups.of}`
    : `${groups.count} ${groups.of}, too few for an interval`;
  const chart = intervalChart(
    accuracies
      .map(({ name, value, interval }) => ({ name, value, low: interval?.low, high: interval?.high }))
      .reverse(),
    {
      title: `kNN accuracy on ${comparison.patches} held-out patches`,
      subtitle: `${neighbors} neighbors, ${intervals}`,
      valueTitle: 'accuracy',
      chance,
    },
  );
  await showChart(chart.spec, { alt: chart.alt, save: options.save });
  const frame = await resultsFrame(
    accuracies.map(({ name, value, interval }) => ({
      name,
      value,
      ...(interval ?? { low: null, high: null, level: null, method: intervals }),
    })),
  );
  await showTable(frame, {
    columns: { name: 'Features', value: 'kNN accuracy', low: '95 % interval', method: 'Method' },
    format: {
      value: percent,
      low: (low: number | null, { high }: { high: number }) =>
        low === null ? '–' : `${percent(low)} to ${percent(high)}`,
    },
    save: options.table,
  });
  const [first] = accuracies;
  const sentences = gains.map(({ name, value, interval }) => {
    const points = `${(100 * value).toFixed(1)} points`;
    if (!interval) return `${first!.name} minus ${name}: ${points}; ${intervals}.`;
    const [low, high] = [interval.low, interval.high].map((share) => (100 * share).toFixed(1));
    const verdict = interval.low > 0 ? 'better than' : interval.high < 0 ? 'worse than' : 'not clearly different from';
    return `${first!.name} is ${verdict} ${name}: ${points}, 95 % interval ${low} to ${high}.`;
  });
  await display(html(`<p>${sentences.join('<br>')}</p>`));
}

/** The accuracies of a comparison as a run's metrics. */
export function comparisonMetrics({ accuracies, patches, groups }: FeatureComparison, of: string): Metric[] {
  return accuracies.map(({ name, value, interval }) => ({
    name: `kNN accuracy, ${name}`,
    value: 100 * value,
    ...(interval && { interval: [100 * interval.low, 100 * interval.high] as const }),
    unit: '%',
    about: `${patches} ${of}; ${interval?.method ?? `${groups.count} ${groups.of}, too few for an interval`}`,
  }));
}
