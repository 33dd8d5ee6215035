import { showChart, type VegaLiteSpec } from './chart.js';
import { percent } from './charts.js';
import { sayInstead } from './say-instead.js';
import { chartWidth, ink, shareColors } from './style.js';

export interface ConfusionOptions {
  /** In the order of the matrix. */
  classNames: readonly string[];
  title?: string;
  /** What is counted: patches by default, or pixels. */
  of?: string;
  /** Also writes the chart to this PNG file. */
  save?: string;
}

/**
 * Shows a confusion matrix: a row for each true class, colored by the shares of the row, with counts where they fit.
 *
 * @param confusion `[true class][predicted class]`, counts
 */
export async function showConfusion(
  confusion: readonly (readonly number[])[],
  options: ConfusionOptions,
): Promise<void> {
  const { of = 'patches', save } = options;
  if (confusion.every((row) => totalOf(row) === 0)) return sayInstead(`There are no ${of} for a confusion matrix.`);
  const { spec, alt } = confusionChart(confusion, options);
  await showChart(spec, { alt, save });
}

/** @throws RangeError unless the matrix has a row and a column for each class */
export function confusionChart(
  confusion: readonly (readonly number[])[],
  { classNames, title = 'Confusion matrix', of = 'patches' }: ConfusionOptions,
): { spec: VegaLiteSpec; alt: string } {
  const classes = classNames.length;
  if (confusion.length !== classes || confusion.some((row) => row.length !== classes)) {
    throw new RangeError(`a confusion matrix of ${classes} classes is ${classes} x ${classes}`);
  }
  const side = Math.max(12, Math.min(56, Math.floor((chartWidth - 110) / classes)));
  const total = totalOf(confusion.map(totalOf));
  const values = confusion.flatMap((row, actual) => {
    const cases = totalOf(row);
    return row.map((count, predicted) => {
      const share = cases === 0 ? 0 : count / cases;
      return {
        actual: `${classNames[actual]} (${compact(cases)})`,
        predicted: classNames[predicted]!,
        ...{ count, share, cases },
        label: [...(side < 22 ? [] : [compact(count)]), ...(side < 42 || cases === 0 ? [] : [percent(share)])],
      };
    });
  });
  const axis = { labelFontSize: 11, domain: false, ticks: false };
  const spec: VegaLiteSpec = {
    title: { text: title, subtitle: `${compact(total)} ${of}; colors are shares of a row` },
    width: { step: side },
    height: { step: side },
    data: { values },
    encoding: {
      x: {
        field: 'predicted',
        type: 'nominal',
        sort: null,
        title: 'predicted class',
        axis: { ...axis, labelLimit: 90, labelAngle: -40 },
      },
      y: {
        field: 'actual',
        type: 'nominal',
        sort: null,
        title: `true class (${of})`,
        axis: { ...axis, labelLimit: 130 },
      },
    },
    layer: [
      {
        mark: { type: 'rect', stroke: '#ffffff', strokeWidth: 1 },
        encoding: {
          color: {
            condition: { test: 'datum.cases === 0', value: '#e3e6ea' },
            field: 'share',
            type: 'quantitative',
            scale: { domain: [0, 0.5, 1], range: [...shareColors] },
            title: 'share of the row',
            legend: { orient: 'bottom', direction: 'horizontal', format: '.0%', gradientLength: 160, tickCount: 3 },
          },
          tooltip: [
            { field: 'actual' },
            { field: 'predicted' },
            { field: 'count', format: ',d' },
            { field: 'share', format: '.1%' },
          ],
        },
      },
      {
        // The first of two lines stands above the middle.
        mark: { type: 'text', fontSize: 11, dy: side < 42 ? 0 : -6 },
        encoding: {
          text: { field: 'label' },
          color: { condition: { test: 'datum.share > 0.7', value: '#ffffff' }, value: ink },
        },
      },
    ],
  };
  const right = confusion.map((row, label) => {
    const cases = totalOf(row);
    const name = classNames[label]!;
    return cases === 0
      ? `${name} without ${of}`
      : `${name} ${row[label]} of ${cases} (${percent(row[label]! / cases)})`;
  });
  return { spec, alt: `${title}, ${total} ${of}, right by class: ${right.join(', ')}` };
}

const totalOf = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0);

const compact = (count: number) =>
  count.toLocaleString('en-US', count >= 10_000 ? { notation: 'compact', maximumFractionDigits: 1 } : {});
